/**
 * Firewall rules (`firewallrules` of the node): the first that matches a packet decides. They are
 * applied to every data packet, including those of this node and those that it only forwards.
 */

/** What becomes of a packet. A rejected one is reported to its sender, a dropped one is not. */
export type Verdict = "accept" | "reject" | "drop";

/** The addresses of a packet. */
export interface PacketRoute {
  readonly fromNode: string;
  readonly toNode: string;
  readonly fromService: string;
  readonly toService: string;
}

/**
 * A rule as in the configuration. Each condition is a plain value, or a /regular expression/ that
 * matches the whole value; "" is no condition.
 */
export interface FirewallRule {
  readonly action: Verdict;
  readonly fromnode?: string | undefined;
  readonly tonode?: string | undefined;
  readonly fromservice?: string | undefined;
  readonly toservice?: string | undefined;
}

/** Decides what becomes of a packet. */
export type Firewall = (packet: PacketRoute) => Verdict;

/**
 * Turns `rules` into one decision; what none of them matches is accepted. Throws a `SyntaxError`
 * that names the rule (counted from 1) whose regular expression is not valid.
 */
export function compileFirewall(rules: readonly FirewallRule[]): Firewall {
  const compiled = rules.map((rule, index) => {
    try {
      return { action: rule.action, conditions: compileConditions(rule) };
    } catch (cause) {
      throw new SyntaxError(`firewall rule ${index + 1}: ${(cause as Error).message}`, { cause });
    }
  });
  return (packet) =>
    compiled.find(({ conditions }) => conditions.every((holds) => holds(packet)))?.action ??
      "accept";
}

function compileConditions(rule: FirewallRule): ((packet: PacketRoute) => boolean)[] {
  const patterns: [field: keyof PacketRoute, pattern: string | undefined][] = [
    ["fromNode", rule.fromnode],
    ["toNode", rule.tonode],
    ["fromService", rule.fromservice],
    ["toService", rule.toservice],
  ];
  const conditions: ((packet: PacketRoute) => boolean)[] = [];
  for (const [field, pattern] of patterns) {
    if (pattern === undefined || pattern === "") continue;
    const matches = compilePattern(pattern);
    conditions.push((packet) => matches(packet[field]));
  }
  return conditions;
}

function compilePattern(pattern: string): (value: string) => boolean {
  if (!pattern.startsWith("/")) return (value) => value === pattern;
  if (pattern.length < 2 || !pattern.endsWith("/")) {
    throw new SyntaxError(`regular expression ${pattern} does not end with /`);
  }
  const expression = wholeValueExpression(pattern.slice(1, -1));
  return (value) => expression.test(value);
}

/**
 * Compiles one of Go's regular expressions, or fails: what the two languages write differently
 * (such as [[:alpha:]]) is an error in JavaScript's Unicode mode, never a rule that means something
 * else.
 */
function wholeValueExpression(source: string): RegExp {
  // Go writes flags at the start, JavaScript takes them as an argument.
  const flags = /^\(\?([is]+)\)/.exec(source)?.[1] ?? "";
  const body = (flags === "" ? source : source.slice(flags.length + "(?)".length))
    // Go allows a backslash before any punctuation, JavaScript only where it has a meaning.
    .replace(
      /\\([!"#%&',:;<=>@_`~-])/g,
      (_, mark: string) => `\\x${mark.charCodeAt(0).toString(16)}`,
    );
  try {
    return new RegExp(`^(?:${body})$`, `${[...new Set(flags)].join("")}u`);
  } catch (cause) {
    throw new SyntaxError(`/${source}/ is not a regular expression`, { cause });
  }
}

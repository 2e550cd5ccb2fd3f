/**
 * Durations as Go writes and reads them (`1h30m`, `296.493µs`): the configuration, `ttl`s and the
 * times that `ping` and `traceroute` print are in this form. Here they are always whole nanoseconds
 * in a `number`, exact up to 104 days.
 */

const NS_PER_UNIT: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  "µs": 1e3, // U+00B5, micro sign
  "μs": 1e3, // U+03BC, Greek letter mu
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Go keeps a duration in an int64. */
const MAX_DURATION_NS = 2n ** 63n - 1n;

/** Most digits of a fraction that can fit Go's int64 accumulator; it ignores later ones too. */
const MAX_FRACTION_DIGITS = 19;

/** One `number unit` pair at the sticky position; the unit is everything up to the next digit. */
const COMPONENT = /([0-9]*)(\.[0-9]*)?([^0-9.]*)/y;

/**
 * Reads a Go duration and returns nanoseconds. Throws a `SyntaxError` in the words of Go's
 * `time.ParseDuration`, which the original's clients see too.
 */
export function parseGoDurationNs(text: string): number {
  const invalid = () => new SyntaxError(`time: invalid duration ${JSON.stringify(text)}`);
  const sign = /^[+-]/.exec(text)?.[0] ?? "";
  if (text.slice(sign.length) === "0") return 0;
  if (text.length === sign.length) throw invalid();

  let totalNs = 0n;
  COMPONENT.lastIndex = sign.length;
  while (COMPONENT.lastIndex < text.length) {
    const [, whole = "", fraction = "", unit = ""] = COMPONENT.exec(text)!;
    if (whole === "" && fraction.length < 2) throw invalid();
    if (unit === "") {
      throw new SyntaxError(`time: missing unit in duration ${JSON.stringify(text)}`);
    }
    const nsPerUnit = Object.hasOwn(NS_PER_UNIT, unit) ? NS_PER_UNIT[unit] : undefined;
    if (nsPerUnit === undefined) {
      throw new SyntaxError(
        `time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`,
      );
    }
    // No int64 has 20 digits: a million digits must not cost a million steps.
    if (whole.replace(/^0+/, "").length > 20) throw invalid();
    let digits = fraction.slice(1, 1 + MAX_FRACTION_DIGITS);
    if (BigInt(digits) > MAX_DURATION_NS) digits = digits.slice(0, -1);
    // Floating point on purpose: Go rounds the fraction the same way.
    const fractionNs = Math.trunc(Number(digits) * (nsPerUnit / 10 ** digits.length));
    totalNs += BigInt(whole) * BigInt(nsPerUnit) + BigInt(fractionNs);
    if (totalNs > MAX_DURATION_NS + (sign === "-" ? 1n : 0n)) throw invalid();
  }
  const ns = Number(totalNs);
  return sign === "-" && ns !== 0 ? -ns : ns;
}

/** Prints nanoseconds as Go's `Duration.String` does, such as `1m30s`, `2.5s`, `1.476514ms`. */
export function formatGoDuration(ns: number): string {
  const rounded = BigInt(Math.round(ns));
  const sign = rounded < 0n ? "-" : "";
  const abs = rounded < 0n ? -rounded : rounded;
  if (abs === 0n) return "0s";
  if (abs < 1_000n) return `${sign}${abs}ns`;
  if (abs < 1_000_000n) return `${sign}${decimal(abs, 3)}µs`;
  if (abs < 1_000_000_000n) return `${sign}${decimal(abs, 6)}ms`;

  const minutes = abs / 60_000_000_000n;
  const seconds = `${decimal(abs % 60_000_000_000n, 9)}s`;
  if (minutes === 0n) return sign + seconds;
  if (minutes < 60n) return `${sign}${minutes}m${seconds}`;
  return `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`;
}

/** `value` divided by 10 to the power of `places`, without trailing zeros. */
function decimal(value: bigint, places: number): string {
  const digits = value.toString().padStart(places + 1, "0");
  const fraction = digits.slice(-places).replace(/0+$/, "");
  return digits.slice(0, -places) + (fraction === "" ? "" : `.${fraction}`);
}

/**
 * YAML text as a tree of nodes that know their offsets and keep their source text. The only file
 * that uses the YAML library.
 */

export type YamlNode = YamlScalar | YamlSequence | YamlMapping;

export interface YamlScalar {
  readonly kind: "scalar";
  readonly offset: number;
  /** As written, without quotes and escapes; null for an empty value, `null` and `~`. */
  readonly value: string | null;
}

export interface YamlSequence {
  readonly kind: "sequence";
  readonly offset: number;
  readonly items: readonly YamlNode[];
}

export interface YamlMapping {
  readonly kind: "mapping";
  readonly offset: number;
  /** In order, repeated keys included, merge keys (`<<`) resolved. */
  readonly entries: readonly YamlEntry[];
}

export interface YamlEntry {
  readonly key: YamlNode;
  readonly value: YamlNode;
}

/** Broken YAML. */
export class YamlSyntaxError extends SyntaxError {
  override readonly name = "YamlSyntaxError";
  /** `offset` is a position in the text, in UTF-16 units. */
  constructor(message: string, readonly offset: number, options?: ErrorOptions) {
    super(message, options);
  }
}

const NULL_WORDS = new Set(["", "~", "null", "Null", "NULL"]);
const MERGE_KEY = "<<";

/**
 * Parses all documents of a text; the root of an empty one is null. Throws a `YamlSyntaxError`. The
 * library is loaded at the first call, so never in a start without a file.
 */
export async function parseYaml(text: string): Promise<YamlNode[]> {
  const yaml = await import("js-yaml");
  const { EVENT_ID } = yaml;

  let events;
  try {
    events = yaml.parseEvents(text, {});
  } catch (cause) {
    if (!(cause instanceof yaml.YAMLException)) throw cause;
    throw new YamlSyntaxError(cause.reason, cause.mark?.position ?? 0, { cause });
  }

  const roots: YamlNode[] = [];
  let anchors = new Map<string, YamlNode>();
  const open: { children: YamlNode[]; close(): YamlNode | undefined; anchor: string }[] = [];
  // An empty value has no position of its own: it gets that of whatever came before it.
  let lastOffset = 0;

  const add = (node: YamlNode | undefined, anchor: string) => {
    if (node === undefined) return;
    if (anchor !== "") anchors.set(anchor, node);
    open.at(-1)?.children.push(node);
  };
  const anchorOf = (event: { anchorStart: number; anchorEnd: number }) =>
    event.anchorStart < 0 ? "" : text.slice(event.anchorStart, event.anchorEnd);

  for (const event of events) {
    switch (event.type) {
      case EVENT_ID.DOCUMENT: {
        anchors = new Map();
        const children: YamlNode[] = [];
        const close = () => {
          roots.push(children[0] ?? { kind: "scalar", offset: lastOffset, value: null });
          return undefined;
        };
        open.push({ children, close, anchor: "" });
        break;
      }
      case EVENT_ID.SEQUENCE: {
        const { start: offset } = event;
        const children: YamlNode[] = [];
        lastOffset = offset;
        const close = (): YamlNode => ({ kind: "sequence", offset, items: children });
        open.push({ children, close, anchor: anchorOf(event) });
        break;
      }
      case EVENT_ID.MAPPING: {
        const { start: offset } = event;
        const children: YamlNode[] = [];
        lastOffset = offset;
        const close = (): YamlNode => ({ kind: "mapping", offset, entries: entriesOf(children) });
        open.push({ children, close, anchor: anchorOf(event) });
        break;
      }
      case EVENT_ID.SCALAR: {
        const plain = event.style === yaml.SCALAR_STYLE.PLAIN;
        const written = event.valueStart < 0 ? "" : yaml.getScalarValue(text, event);
        if (event.valueStart >= 0) lastOffset = event.valueStart;
        const value = plain && NULL_WORDS.has(written) ? null : written;
        add({ kind: "scalar", offset: lastOffset, value }, anchorOf(event));
        break;
      }
      case EVENT_ID.ALIAS: {
        const anchor = anchorOf(event);
        // Anchors are known once their node is complete, so that none can contain itself.
        const node = anchors.get(anchor);
        if (!node) throw new YamlSyntaxError(`unknown anchor "${anchor}"`, event.anchorStart);
        lastOffset = event.anchorStart;
        add(node, "");
        break;
      }
      case EVENT_ID.POP: {
        const { close, anchor } = open.pop()!;
        add(close(), anchor);
        break;
      }
    }
  }
  return roots;
}

/** Pairs keys with values, and puts the entries of merged maps before those that override them. */
function entriesOf(children: readonly YamlNode[]): YamlEntry[] {
  const merged: YamlEntry[] = [];
  const own: YamlEntry[] = [];
  for (let i = 0; i + 1 < children.length; i += 2) {
    const key = children[i]!;
    const value = children[i + 1]!;
    if (key.kind !== "scalar" || key.value !== MERGE_KEY) {
      own.push({ key, value });
      continue;
    }
    // Of several maps the first has precedence, so it comes last.
    const maps = value.kind === "sequence" ? value.items.toReversed() : [value];
    for (const map of maps) {
      if (map.kind !== "mapping") {
        throw new YamlSyntaxError("a merge key takes a map or a list of maps", map.offset);
      }
      merged.push(...map.entries);
    }
  }
  if (merged.length === 0) return own;
  // A key that is merged and then overridden is not a repeated key.
  const byKey = new Map<unknown, YamlEntry>();
  for (const entry of merged) byKey.set(keyText(entry), entry);
  for (const entry of own) byKey.delete(keyText(entry));
  return [...byKey.values(), ...own];
}

function keyText({ key }: YamlEntry): unknown {
  return key.kind === "scalar" ? key.value : key;
}

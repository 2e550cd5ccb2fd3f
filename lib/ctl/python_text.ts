/** Values as the original's client prints them, in Python's notation. */

/** `json.dumps(value, indent=4, sort_keys=True)`. */
export function sortedJson(value: unknown, indent = ""): string {
  if (typeof value === "string") return asciiJson(value);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inner = `${indent}    `;
  const [open, close, items] = Array.isArray(value)
    ? ["[", "]", value.map((item) => sortedJson(item, inner))]
    : [
      "{",
      "}",
      Object.entries(value)
        .sort(([one], [other]) => one < other ? -1 : 1)
        .map(([key, item]) => `${asciiJson(key)}: ${sortedJson(item, inner)}`),
    ];
  if (items.length === 0) return open + close;
  return `${open}\n${inner}${items.join(`,\n${inner}`)}\n${indent}${close}`;
}

/** A JSON string in pure ASCII. */
function asciiJson(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** `str()` of a dictionary of strings. */
export function pythonDictionary(tags: Readonly<Record<string, unknown>>): string {
  const items = Object.entries(tags)
    .map(([key, value]) => `${pythonString(key)}: ${pythonString(String(value))}`);
  return `{${items.join(", ")}}`;
}

function pythonString(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text
    .replaceAll("\\", "\\\\")
    .replaceAll(quote, `\\${quote}`)
    .replaceAll("\n", "\\n")
    .replaceAll("\r", "\\r")
    .replaceAll("\t", "\\t")
    .replace(
      // deno-lint-ignore no-control-regex -- these are what must not reach a terminal as they are
      /[\x00-\x1f\x7f]/g,
      (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`,
    );
  return quote + escaped + quote;
}

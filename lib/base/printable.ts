/**
 * Makes text from elsewhere (names, tags, details, strangers' certificates) fit for a log line or a
 * terminal: it stays readable, and can neither end its line, nor control the terminal, nor look
 * like something else.
 */

/**
 * Control characters (C0, DEL, C1), line and paragraph separators, lone surrogates, and invisible
 * characters: marks of writing direction, zero-width characters and fillers.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** How many characters of one name a message shows. */
const MAX_SHOWN = 255;
/** How many names of one list a message shows. */
const MAX_LISTED = 8;

/**
 * Turns each character that a line must not hold into an escape sequence as in JSON, so that JSON
 * text stays JSON with the same meaning.
 */
export function escapeUnprintable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => SHORT_ESCAPES[character] ?? inHex(character));
}

/** `text` with escapes, cut to a length that suits a line. */
export function printable(text: string): string {
  return escapeUnprintable(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text);
}

/** The first few of `names`, and how many more there are. */
export function printableList(names: readonly string[], separator = ", "): string {
  const shown = names.slice(0, MAX_LISTED).map(printable);
  if (names.length > MAX_LISTED) shown.push(`… ${names.length - MAX_LISTED} more`);
  return shown.join(separator);
}

/** `\uXXXX` for each of a character's UTF-16 units. */
function inHex(character: string): string {
  return Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
  ).join("");
}

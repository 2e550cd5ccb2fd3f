/** Text from certificates of strangers, made fit for a log line. */

/** Characters of one name that a message shows. */
const MAX_SHOWN = 255;
/** Names of one list that a message shows. */
const MAX_LISTED = 8;

/** `text` without control characters and not beyond a length that a line can bear. */
export function printable(text: string): string {
  const shown = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
  return shown.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, "0")}`,
  );
}

/** The first few of `names`, and how many more there are. */
export function printableList(names: readonly string[], separator = ", "): string {
  const shown = names.slice(0, MAX_LISTED).map(printable);
  if (names.length > MAX_LISTED) shown.push(`… ${names.length - MAX_LISTED} more`);
  return shown.join(separator);
}

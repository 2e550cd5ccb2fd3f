/**
 * The words of a command, split at single blanks: two blanks in a row enclose an empty word. No
 * more are split off than the command can use, since a line may be nothing but blanks.
 */

/** The first `max` words of `text`; none of `undefined`. */
export function firstWords(text: string | undefined, max: number): string[] {
  return text === undefined ? [] : text.split(" ", max);
}

/** The first word, and everything after its blank; `undefined` if there is no blank. */
export function cutWord(text: string): [word: string, rest: string | undefined] {
  const blank = text.indexOf(" ");
  return blank === -1 ? [text, undefined] : [text.slice(0, blank), text.slice(blank + 1)];
}

/**
 * The words of a command, at single blanks: two blanks in a row hold an empty word. Only as many
 * are taken apart as a command has a use for, since a line may be nothing but blanks.
 */

/** The first `max` words of `text`; none of `undefined`. */
export function firstWords(text: string | undefined, max: number): string[] {
  return text === undefined ? [] : text.split(" ", max);
}

/** The first word, and all that is behind its blank, `undefined` when there is none. */
export function cutWord(text: string): [word: string, rest: string | undefined] {
  const blank = text.indexOf(" ");
  return blank === -1 ? [text, undefined] : [text.slice(0, blank), text.slice(blank + 1)];
}

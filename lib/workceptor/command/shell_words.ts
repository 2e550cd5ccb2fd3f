/**
 * Splits a line of parameters into words by the rules of the original (google/shlex): blanks
 * separate, quotes and backslashes protect, a `#` in front of a word starts a comment; nothing is
 * expanded. It differs from a shell in one respect: within double quotes a backslash protects any
 * character and is itself dropped.
 */

const BLANKS = " \t\r\n";

/** Throws a `SyntaxError` in the original's words for an open quote or a trailing backslash. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  const characters = line[Symbol.iterator]();

  const escaped = () => {
    const { done, value } = characters.next();
    if (done) throw new SyntaxError("EOF found after escape character");
    return value;
  };
  const quoted = (quote: string) => {
    let text = "";
    for (let next = characters.next(); !next.done; next = characters.next()) {
      if (next.value === quote) return text;
      text += next.value === "\\" && quote === '"' ? escaped() : next.value;
    }
    throw new SyntaxError("EOF found when expecting closing quote");
  };
  const skipComment = () => {
    for (let next = characters.next(); !next.done && next.value !== "\n";) next = characters.next();
  };

  for (let next = characters.next(); !next.done; next = characters.next()) {
    const character = next.value;
    if (BLANKS.includes(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === "#" && word === undefined) {
      skipComment();
    } else if (character === '"' || character === "'") {
      word = (word ?? "") + quoted(character);
    } else {
      word = (word ?? "") + (character === "\\" ? escaped() : character);
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

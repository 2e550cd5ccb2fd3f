/**
 * Says what is wrong with a text that is not JSON, in the words of the original's parser: they
 * name the character and what was expected, which is more than `JSON.parse` tells.
 */

/** The original refuses deeper nesting. */
const MAX_DEPTH = 10_000;

/** Only for a text that `JSON.parse` refused; a single pass, no recursion. */
export function explainJsonError(text: string): string {
  try {
    new Scanner(text).scan();
  } catch (error) {
    if (error instanceof Problem) return error.message;
    throw error;
  }
  return "invalid JSON";
}

class Problem extends Error {}

class Scanner {
  readonly #text: string;
  #at = 0;
  /** Closing brackets of what is open, innermost last. */
  readonly #open: ("}" | "]")[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  scan(): void {
    this.#value();
    while (this.#open.length > 0) this.#afterValue();
    this.#blank();
    if (this.#at < this.#text.length) throw this.#unexpected("after top-level value");
  }

  /** Reads a value, or only the opening of an object or list that is not empty. */
  #value(): void {
    while (true) {
      this.#blank();
      const char = this.#char();
      if (char === '"') return this.#string();
      if (char === "-" || isDigit(char)) return this.#number();
      const literal = LITERALS.find((word) => word[0] === char);
      if (literal !== undefined) return this.#literal(literal);
      if (char !== "{" && char !== "[") throw this.#unexpected("looking for beginning of value");
      const close = char === "{" ? "}" : "]";
      this.#at++;
      if (this.#open.push(close) > MAX_DEPTH) throw new Problem("exceeded max depth");
      this.#blank();
      if (this.#text[this.#at] === close) {
        this.#at++;
        this.#open.pop();
        return;
      }
      if (close === "}") this.#key();
    }
  }

  #afterValue(): void {
    const close = this.#open.at(-1)!;
    const place = close === "}" ? "after object key:value pair" : "after array element";
    this.#blank();
    const char = this.#char();
    if (char === close) {
      this.#at++;
      this.#open.pop();
      return;
    }
    if (char !== ",") throw this.#unexpected(place);
    this.#at++;
    if (close === "}") this.#key();
    this.#value();
  }

  #key(): void {
    this.#blank();
    const place = "looking for beginning of object key string";
    if (this.#char() !== '"') throw this.#unexpected(place);
    this.#string();
    this.#blank();
    if (this.#char() !== ":") throw this.#unexpected("after object key");
    this.#at++;
  }

  #string(): void {
    this.#at++;
    while (true) {
      const char = this.#char();
      if (char < " ") throw this.#unexpected("in string");
      if (char === '"') {
        this.#at++;
        return;
      }
      if (char === "\\") this.#escape();
      else this.#at++;
    }
  }

  #escape(): void {
    const kind = this.#text[this.#at + 1];
    const length = kind === "u" ? 6 : 2;
    const sequence = this.#text.slice(this.#at, this.#at + length);
    const valid = kind === "u" ? /^\\u[0-9a-fA-F]*$/ : /^\\["\\/bfnrt]?$/;
    if (!valid.test(sequence)) {
      throw new Problem(`invalid escape sequence \`${sequence}\` in string`);
    }
    if (sequence.length < length) throw new Problem(END_OF_INPUT);
    this.#at += length;
  }

  #number(): void {
    const place = "in numeric literal";
    if (this.#text[this.#at] === "-") this.#at++;
    if (this.#text[this.#at] === "0") this.#at++;
    else this.#digits(place);
    if (this.#text[this.#at] === ".") {
      this.#at++;
      this.#digits(place);
    }
    if (/[eE]/.test(this.#text[this.#at] ?? "")) {
      this.#at++;
      if (/[+-]/.test(this.#text[this.#at] ?? "")) this.#at++;
      this.#digits(place);
    }
  }

  #digits(place: string): void {
    if (!isDigit(this.#char())) throw this.#unexpected(place);
    while (isDigit(this.#text[this.#at] ?? "")) this.#at++;
  }

  #literal(word: string): void {
    for (const expected of word) {
      const place = `in literal ${word} (expecting '${expected}')`;
      if (this.#char() !== expected) throw this.#unexpected(place);
      this.#at++;
    }
  }

  #blank(): void {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? "")) this.#at++;
  }

  #char(): string {
    const char = this.#text[this.#at];
    if (char === undefined) throw new Problem(END_OF_INPUT);
    return char;
  }

  #unexpected(place: string): Problem {
    const codePoint = this.#text.codePointAt(this.#at)!;
    return new Problem(`invalid character ${quoteCharacter(codePoint)} ${place}`);
  }
}

const END_OF_INPUT = "unexpected end of JSON input";
const LITERALS = ["true", "false", "null"];
const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  "'": "\\'",
  "\\": "\\\\",
  "\t": "\\t",
  "\n": "\\n",
  "\r": "\\r",
};

function isDigit(char: string): boolean {
  return char >= "0" && char <= "9" && char.length === 1;
}

/** As Go quotes a character. */
function quoteCharacter(codePoint: number): string {
  const char = String.fromCodePoint(codePoint);
  const short = SHORT_ESCAPES[char];
  if (short !== undefined) return `'${short}'`;
  if (codePoint < 0x20 || codePoint === 0x7f) {
    return `'\\x${codePoint.toString(16).padStart(2, "0")}'`;
  }
  return `'${char}'`;
}

/** Randomness as an input, so that a test can replay a run from a seed. */
export interface Random {
  /** Fills `into` with random bytes and returns it. */
  fill(into: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
}

/** The system's cryptographic generator. */
export const systemRandom: Random = {
  fill: (into) => crypto.getRandomValues(into),
};

const ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/**
 * `length` random letters and digits, evenly distributed: the form of update ids, ephemeral
 * service names and the tail of unit ids (`pkg/randstr` in the original).
 */
export function randomText(random: Random, length: number): string {
  let text = "";
  while (text.length < length) {
    for (const byte of random.fill(new Uint8Array(2 * length))) {
      // 248 is the largest multiple of 62 in a byte: higher values would favour the first letters.
      if (byte < 248 && text.length < length) text += ALPHABET[byte % ALPHABET.length];
    }
  }
  return text;
}

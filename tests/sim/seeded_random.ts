/** Randomness that a test can replay. Not for anything that must be secret. */
import type { Random } from "../../lib/base/random.ts";

/** The generator "mulberry32": small, and good enough to make names differ. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return {
    fill(into) {
      for (let i = 0; i < into.length; i++) into[i] = next() & 0xff;
      return into;
    },
  };
}

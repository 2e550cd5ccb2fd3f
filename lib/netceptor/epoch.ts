/** Tells the runs of one node apart in its route messages: the later run has the higher epoch. */
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";

/** Bits of an epoch below the seconds since 1970: milliseconds first, then random ones. */
const EPOCH_FRACTION_BITS = 24n;
const EPOCH_RANDOM_BITS = 14n;

/**
 * Grows with each start of a node, even with two in one second: others take a node with a lower
 * epoch for an echo of its past. The original has 24 random bits where the milliseconds are.
 */
export function newEpoch(clock: Clock, random: Random): bigint {
  const now = Math.floor(clock.wallTime());
  const seconds = BigInt(Math.floor(now / 1000));
  const milliseconds = BigInt(now % 1000);
  const [a, b] = random.fill(new Uint8Array(2));
  const chance = BigInt((a! << 8) | b!) >> (16n - EPOCH_RANDOM_BITS);
  return (seconds << EPOCH_FRACTION_BITS) | (milliseconds << EPOCH_RANDOM_BITS) | chance;
}

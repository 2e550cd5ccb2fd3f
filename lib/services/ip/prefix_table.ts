/** Finds what belongs to an address: the value of the longest prefix that it begins with. */
import type { IpNetwork } from "../../base/ip_network.ts";

/** A prefix as a key: the number for IPv4, which costs no allocation per look-up. */
type Key = number | string;

interface Level<T> {
  readonly prefix: number;
  /** What is kept of each 32 bits of an address. */
  readonly masks: readonly number[];
  readonly values: Map<Key, T>;
}

export class PrefixTable<T> {
  /** By the length of the address in bytes; the longest prefix first. */
  readonly #levels: Record<4 | 16, Level<T>[]> = { 4: [], 16: [] };

  set(network: IpNetwork, value: T): void {
    const { address, prefix } = network;
    const levels = this.#levels[address.length as 4 | 16];
    let level = levels.find((candidate) => candidate.prefix === prefix);
    if (level === undefined) {
      level = { prefix, masks: masksOf(prefix, address.length / 4), values: new Map() };
      levels.push(level);
      levels.sort((a, b) => b.prefix - a.prefix);
    }
    level.values.set(keyOf(address, 0, level.masks), value);
  }

  /** Looks up the address of `length` bytes that is in `bytes` at `at`. */
  find(bytes: Uint8Array, at: number, length: 4 | 16): T | undefined {
    for (const { masks, values } of this.#levels[length]) {
      const value = values.get(keyOf(bytes, at, masks));
      if (value !== undefined) return value;
    }
    return undefined;
  }
}

function masksOf(prefix: number, words: number): number[] {
  return Array.from({ length: words }, (_, word) => {
    const bits = Math.min(32, Math.max(0, prefix - word * 32));
    // A shift by 32 would be one by 0.
    return bits === 0 ? 0 : -1 << (32 - bits);
  });
}

function keyOf(bytes: Uint8Array, at: number, masks: readonly number[]): Key {
  if (masks.length === 1) return wordAt(bytes, at) & masks[0]!;
  return masks.map((mask, word) => wordAt(bytes, at + word * 4) & mask).join();
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!;
}

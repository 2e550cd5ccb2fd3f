/**
 * Numbers for remote keys ("node:service"), since the core wants its peers' addresses short. A key
 * always has the same number: the core seals it into the token that a client must return. Its first
 * half is the same for all services of a node, by which the core shares memory out.
 */
import { createHmac } from "node:crypto";
import type { Random } from "../base/random.ts";

const SECRET_BYTES = 32;
/** Of the node, then of the whole key: together few enough for a number to be exact as a double. */
const PART_BYTES = 3;

export class Remotes {
  readonly #secret: Uint8Array;
  /** The remotes of current connections, whose datagrams need only a look-up. */
  readonly #known = new Map<string, { readonly number: number; users: number }>();

  constructor(random: Random) {
    this.#secret = random.fill(new Uint8Array(SECRET_BYTES));
  }

  /** The number of `key`, which nobody else can predict. */
  number(key: string): number {
    return this.#known.get(key)?.number ?? this.#compute(key);
  }

  /** A connection with `key` begins. */
  retain(key: string): void {
    const remote = this.#known.get(key);
    if (remote) remote.users += 1;
    else this.#known.set(key, { number: this.#compute(key), users: 1 });
  }

  /** A connection with `key` is gone. */
  release(key: string): void {
    const remote = this.#known.get(key);
    if (remote && --remote.users === 0) this.#known.delete(key);
  }

  get size(): number {
    return this.#known.size;
  }

  #compute(key: string): number {
    return this.#part(nodeOf(key)) * 2 ** (8 * PART_BYTES) + this.#part(key);
  }

  #part(text: string): number {
    return createHmac("sha256", this.#secret).update(text).digest().readUIntBE(0, PART_BYTES);
  }
}

/** The node of a remote key "node:service"; the service has no colon. */
export function nodeOf(remote: string): string {
  const colon = remote.lastIndexOf(":");
  return colon === -1 ? remote : remote.slice(0, colon);
}

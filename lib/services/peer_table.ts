/**
 * Who sends datagrams through a service: a bounded number of peers, each forgotten when it has been
 * idle for a while, since a datagram never says that it was the last.
 */
import type { Clock } from "../base/clock.ts";
import { Shares } from "../base/shares.ts";

const minute = 60_000;
/** How long a peer may be idle, in milliseconds: what RFC 4787 (section 4.3) recommends to NATs. */
export const IDLE_MS = 5 * minute;
/** Peers of one service; one more takes the place of the most idle one of whoever has most. */
const MAX_PEERS = 1024;

interface Entry<Peer> {
  readonly peer: Peer;
  usedAt: number;
}

export class PeerTable<Peer extends Disposable> implements Disposable {
  readonly #clock: Clock;
  readonly #maxPeers: number;
  /** By key, the one idle for longest first. */
  readonly #entries = new Map<string, Entry<Peer>>();
  readonly #shares = new Shares<string>();
  #timer: Disposable | undefined;

  /** `maxPeers` is for tests. */
  constructor(clock: Clock, maxPeers = MAX_PEERS) {
    this.#clock = clock;
    this.#maxPeers = maxPeers;
  }

  /** The peer `key`, which is no longer idle; undefined if there is none. */
  use(key: string): Peer | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    entry.usedAt = this.#clock.now();
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#shares.put(key, this.#shares.ownerOf(key)!, 1);
    return entry.peer;
  }

  /** Adds a peer that counts for `owner`; forgetting it disposes of it. */
  add(key: string, owner: string, peer: Peer): Peer {
    if (this.#entries.size >= this.#maxPeers) this.forget(this.#shares.oldestOfLargest()!.item);
    this.#entries.set(key, { peer, usedAt: this.#clock.now() });
    this.#shares.put(key, owner, 1);
    this.#timer ??= this.#clock.after(IDLE_MS, () => this.#forgetIdle());
    return peer;
  }

  forget(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#shares.delete(key);
    entry.peer[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    for (const key of [...this.#entries.keys()]) this.forget(key);
  }

  #forgetIdle(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (const [key, { usedAt }] of this.#entries) {
      const left = usedAt + IDLE_MS - now;
      if (left > 0) {
        this.#timer = this.#clock.after(left, () => this.#forgetIdle());
        return;
      }
      this.forget(key);
    }
  }
}

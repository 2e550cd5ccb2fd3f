/**
 * What all links from one host take up together. A host can open any number of links under any
 * number of names, so what each link may take is no bound.
 */
import { MAX_GUEST_QUEUE_BYTES, MAX_LINKS_PER_HOST } from "./limits.ts";

/** A host with at least one link. */
export class GuestHost {
  /** Its links that are up. */
  up = 0;
  /** Its links and connections, whatever their phase. */
  open = 0;
  #queuedBytes = 0;

  /** Whether one more of its links may come up. */
  get mayLink(): boolean {
    return this.up < MAX_LINKS_PER_HOST;
  }

  /** Counts bytes that are to wait for one of its links; false if there is no room for them. */
  takeQueue(bytes: number): boolean {
    if (this.#queuedBytes + bytes > MAX_GUEST_QUEUE_BYTES) return false;
    this.#queuedBytes += bytes;
    return true;
  }

  giveQueue(bytes: number): void {
    this.#queuedBytes -= bytes;
  }
}

export class GuestHosts {
  readonly #hosts = new Map<string, GuestHost>();

  /** Counts one more link from `host`, until `leave`. */
  enter(host: string): GuestHost {
    let guest = this.#hosts.get(host);
    if (guest === undefined) this.#hosts.set(host, guest = new GuestHost());
    guest.open++;
    return guest;
  }

  leave(host: string): void {
    const guest = this.#hosts.get(host)!;
    if (--guest.open === 0) this.#hosts.delete(host);
  }
}

/** Numbers for remote keys ("node:service"), since the core wants its peers' addresses short. */

interface Remote {
  readonly id: number;
  /** Connections that talk to it. */
  users: number;
}

/** Keeps a number for each remote as long as a connection uses it. */
export class Remotes {
  readonly #byKey = new Map<string, Remote>();
  readonly #keys = new Map<number, string>();
  #lastId = 0;

  /** The number of `key`; without a `retain` it must be given back with `discardUnused`. */
  number(key: string): number {
    let remote = this.#byKey.get(key);
    if (!remote) {
      do this.#lastId = (this.#lastId + 1) % 0xffff_ffff; while (this.#keys.has(this.#lastId));
      remote = { id: this.#lastId, users: 0 };
      this.#byKey.set(key, remote);
      this.#keys.set(remote.id, key);
    }
    return remote.id;
  }

  retain(key: string): void {
    this.#byKey.get(key)!.users += 1;
  }

  release(key: string): void {
    const remote = this.#byKey.get(key);
    if (!remote) return;
    remote.users -= 1;
    this.discardUnused(key);
  }

  /** Forgets the number of `key` if no connection uses it. */
  discardUnused(key: string): void {
    const remote = this.#byKey.get(key);
    if (remote && remote.users <= 0) {
      this.#byKey.delete(key);
      this.#keys.delete(remote.id);
    }
  }

  get size(): number {
    return this.#keys.size;
  }
}

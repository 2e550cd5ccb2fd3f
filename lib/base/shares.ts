/**
 * Who holds what in a bounded table: a neighbour, or an address that connects. When the table is
 * full, the owner with the most gives up its oldest item: one that floods displaces only its own.
 */

interface Share<Item> {
  /** Size of each item, oldest first. */
  readonly items: Map<Item, number>;
  size: number;
}

/** No owner has this name: stands for all that are gone. */
const GONE = "";

export class Shares<Item> {
  readonly #byOwner = new Map<string, Share<Item>>();
  readonly #ownerOf = new Map<Item, string>();
  #size = 0;

  /** Size of all items together, in the unit of `put`. */
  get size(): number {
    return this.#size;
  }

  /** All items, as they are now. */
  items(): Item[] {
    return [...this.#ownerOf.keys()];
  }

  /** Size of what `owner` has. */
  sizeOf(owner: string): number {
    return this.#byOwner.get(owner)?.size ?? 0;
  }

  /** Whose an item is; "" for an owner that is gone. */
  ownerOf(item: Item): string | undefined {
    return this.#ownerOf.get(item);
  }

  /** Enters an item as the newest of `owner`, whoever had it before. */
  put(item: Item, owner: string, size: number): void {
    this.delete(item);
    let share = this.#byOwner.get(owner);
    if (share === undefined) this.#byOwner.set(owner, share = { items: new Map(), size: 0 });
    share.items.set(item, size);
    share.size += size;
    this.#size += size;
    this.#ownerOf.set(item, owner);
  }

  delete(item: Item): void {
    const owner = this.#ownerOf.get(item);
    if (owner === undefined) return;
    this.#ownerOf.delete(item);
    const share = this.#byOwner.get(owner)!;
    const size = share.items.get(item)!;
    share.items.delete(item);
    share.size -= size;
    this.#size -= size;
    if (share.items.size === 0) this.#byOwner.delete(owner);
  }

  /**
   * The oldest item of the largest share, and the size of that share. Of equally large shares, the
   * oldest counts.
   */
  oldestOfLargest(): { readonly item: Item; readonly shareSize: number } | undefined {
    let largest: Share<Item> | undefined;
    for (const share of this.#byOwner.values()) {
      if (largest === undefined || share.size > largest.size) largest = share;
    }
    if (largest === undefined) return undefined;
    const [item] = largest.items.keys();
    return { item: item!, shareSize: largest.size };
  }

  /**
   * `owner` is gone: what it had joins the one share of all that have left, so that coming and
   * going under new names makes no new shares.
   */
  leave(owner: string): void {
    const share = this.#byOwner.get(owner);
    if (share === undefined) return;
    for (const [item, size] of [...share.items]) this.put(item, GONE, size);
  }
}

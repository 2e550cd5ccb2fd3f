/**
 * Who brought what a bounded table holds. When it is full, the neighbour that brought most gives
 * something back, the oldest first: one that sends without end displaces only its own.
 */

interface Share<Item> {
  /** Size of each item, the one that came first first. */
  readonly items: Map<Item, number>;
  size: number;
}

/** No node is called so: stands for all neighbours whose links are gone. */
const GONE = "";

export class Shares<Item> {
  readonly #byNeighbour = new Map<string, Share<Item>>();
  readonly #neighbourOf = new Map<Item, string>();
  #size = 0;

  /** Size of all items together, in the unit of `put`. */
  get size(): number {
    return this.#size;
  }

  /** Size of what `neighbour` brought. */
  sizeOf(neighbour: string): number {
    return this.#byNeighbour.get(neighbour)?.size ?? 0;
  }

  /** The neighbour that brought an item; "" for one whose link is gone. */
  neighbourOf(item: Item): string | undefined {
    return this.#neighbourOf.get(item);
  }

  /** Enters an item as the newest of `neighbour`, whoever brought it before. */
  put(item: Item, neighbour: string, size: number): void {
    this.delete(item);
    let share = this.#byNeighbour.get(neighbour);
    if (share === undefined) {
      this.#byNeighbour.set(neighbour, share = { items: new Map(), size: 0 });
    }
    share.items.set(item, size);
    share.size += size;
    this.#size += size;
    this.#neighbourOf.set(item, neighbour);
  }

  delete(item: Item): void {
    const neighbour = this.#neighbourOf.get(item);
    if (neighbour === undefined) return;
    this.#neighbourOf.delete(item);
    const share = this.#byNeighbour.get(neighbour)!;
    const size = share.items.get(item)!;
    share.items.delete(item);
    share.size -= size;
    this.#size -= size;
    if (share.items.size === 0) this.#byNeighbour.delete(neighbour);
  }

  /** What the largest share has held for longest, and how large that share is. */
  oldestOfLargest(): { readonly item: Item; readonly shareSize: number } | undefined {
    let largest: Share<Item> | undefined;
    for (const share of this.#byNeighbour.values()) {
      if (largest === undefined || share.size > largest.size) largest = share;
    }
    if (largest === undefined) return undefined;
    const [item] = largest.items.keys();
    return { item: item!, shareSize: largest.size };
  }

  /**
   * The link to `neighbour` is gone: what it brought joins the one share of all who left, so that
   * coming and going under ever new names makes no new shares.
   */
  leave(neighbour: string): void {
    const share = this.#byNeighbour.get(neighbour);
    if (share === undefined) return;
    for (const [item, size] of [...share.items]) this.put(item, GONE, size);
  }
}

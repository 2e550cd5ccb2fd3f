/**
 * Items that wait, of which one is taken at a time: the owners take turns, however many items each
 * of them has.
 */
export class FairQueue<Item> {
  /** By owner, the oldest first. The owner whose turn is next comes first. */
  readonly #waiting = new Map<string, Item[]>();

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  add(owner: string, item: Item): void {
    const items = this.#waiting.get(owner);
    if (items === undefined) this.#waiting.set(owner, [item]);
    else items.push(item);
  }

  /** The oldest item of the owner whose turn it is. */
  take(): Item | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    const [owner, items] = first;
    const item = items.shift();
    this.#waiting.delete(owner);
    if (items.length > 0) this.#waiting.set(owner, items);
    return item;
  }
}

/**
 * One bound in bytes for the long command lines of all clients from the network, shared fairly:
 * when there is no room, whoever holds the most gives way, behind the neighbour that brought the
 * most, so that a node with a single line gets it through while another tries to fill the budget
 * with many.
 */
import { giveWay } from "../base/give_way.ts";
import { INITIAL_BUFFER_BYTES } from "../base/line_reader.ts";

/** There is no room, and the line's owner already holds the most. */
export class LineBudgetError extends Error {
  override readonly name = "LineBudgetError";
  constructor(readonly totalBytes: number) {
    super(`long command lines hold ${totalBytes} bytes`);
  }
}

export class LineBudget {
  readonly #totalBytes: number;
  /** Oldest first. */
  readonly #held = new Map<LineClaim, number>();

  constructor(totalBytes: number) {
    this.#totalBytes = totalBytes;
  }

  /** Bytes that are held now. */
  get heldBytes(): number {
    return [...this.#held.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /**
   * Sets the size of `claim` to `bytes`; what fits into a client's first buffer is free, so that
   * short commands always get in. Throws a `LineBudgetError`, and changes nothing, if there is no
   * room and the claim's owner would hold the most.
   */
  resize(claim: LineClaim, bytes: number): void {
    const counted = bytes > INITIAL_BUFFER_BYTES ? bytes : 0;
    const more = counted - (this.#held.get(claim) ?? 0);
    while (more > 0 && this.heldBytes + more > this.#totalBytes) this.#makeWay(claim, more);
    if (counted > 0) this.#held.set(claim, counted);
    else this.#held.delete(claim);
  }

  /** Cuts the oldest claim of whoever has to give way, unless that is the owner asking for more. */
  #makeWay({ owner, neighbour }: LineClaim, more: number): void {
    const held = new Map<string, number>();
    const neighbours = new Map([[owner, neighbour]]);
    for (const [claim, bytes] of this.#held) {
      held.set(claim.owner, (held.get(claim.owner) ?? 0) + bytes);
      neighbours.set(claim.owner, claim.neighbour);
    }
    const loser = giveWay(held, { owner, more }, (each) => neighbours.get(each)!);
    if (loser === undefined) throw new LineBudgetError(this.#totalBytes);
    const victim = [...this.#held.keys()].find((claim) => claim.owner === loser)!;
    this.#held.delete(victim);
    victim.cut();
  }
}

/** What one line takes from the budget while it is read or while its command runs. */
export interface LineClaim {
  /** Whose share it counts against. */
  readonly owner: string;
  /** Whose share its owner's counts against, with those of all others that came that way. */
  readonly neighbour: string;
  /** The budget takes it away: the memory that it stands for must be freed at once. */
  cut(): void;
}

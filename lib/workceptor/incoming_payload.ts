/** A unit between its creation and its start, while its payload comes in. */
import { writeFully } from "../base/durable_file.ts";
import { ControlError } from "../control/control_error.ts";
import type { PendingUnit } from "../control/work_service.ts";
import type { StartReply, Unit } from "./unit.ts";
import { refusals } from "./work_texts.ts";

export class IncomingPayload implements PendingUnit {
  readonly unitId: string;
  readonly #unit: Unit;
  readonly #stdin: Deno.FsFile;
  readonly #onClosed: (payload: IncomingPayload) => void;
  #open = true;

  constructor(unit: Unit, stdin: Deno.FsFile, onClosed: (payload: IncomingPayload) => void) {
    this.unitId = unit.ledger.id;
    this.#unit = unit;
    this.#stdin = stdin;
    this.#onClosed = onClosed;
  }

  async writePayload(bytes: Uint8Array): Promise<void> {
    const { id, complete, removed } = this.#unit.ledger;
    if (removed) throw new ControlError(refusals.releasedBeforeStart(id));
    if (complete || !this.#open) throw new ControlError(refusals.cancelledBeforeStart(id));
    await writeFully(this.#stdin, bytes);
  }

  start(): Promise<StartReply> {
    this.close();
    return this.#unit.start();
  }

  abandon(reason: string): Promise<void> {
    this.close();
    return this.#unit.abandon(reason);
  }

  /** Takes no more payload. May be repeated. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#stdin.close();
    this.#onClosed(this);
  }
}

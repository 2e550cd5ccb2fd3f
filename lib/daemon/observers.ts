/** Passes what the rooms tell their one observer to every reader (logs, metrics and others). */
import { backendEvents, type BackendObserver } from "../backends/observer.ts";
import type { Log } from "../base/log.ts";
import { guardObserver, type MethodsOf } from "../base/observer.ts";
import { netceptorEvents, type NetceptorObserver } from "../netceptor/observer.ts";
import { pkiEvents, type PkiObserver } from "../pki/observer.ts";
import { workceptorEvents, type WorkceptorObserver } from "../workceptor/observer.ts";

/** Everything that a node reports. */
export interface NodeObserver
  extends NetceptorObserver, WorkceptorObserver, BackendObserver, PkiObserver {}

const nodeEvents: MethodsOf<NodeObserver> = {
  ...netceptorEvents,
  ...workceptorEvents,
  ...backendEvents,
  ...pkiEvents,
};

export class Observers {
  /** For the rooms: passes events on to all current readers. */
  readonly all: Required<NodeObserver>;
  readonly #log: Pick<Log, "error">;
  readonly #readers = new Set<Required<NodeObserver>>();

  constructor(log: Pick<Log, "error">, readers: Iterable<NodeObserver> = []) {
    this.#log = log;
    const names = Object.keys(nodeEvents) as (keyof NodeObserver)[];
    this.all = Object.fromEntries(
      names.map((name) => [name, (event: never) => this.#tell(name, event)]),
    ) as Required<NodeObserver>;
    for (const reader of readers) this.add(reader);
  }

  /** Also tells `reader`, until the result is disposed of. What it throws is logged. */
  add(reader: NodeObserver): Disposable {
    const guarded = guardObserver(reader, nodeEvents, { log: this.#log, what: "the node" });
    this.#readers.add(guarded);
    return { [Symbol.dispose]: () => void this.#readers.delete(guarded) };
  }

  #tell(name: keyof NodeObserver, event: never): void {
    for (const reader of this.#readers) reader[name](event);
  }
}

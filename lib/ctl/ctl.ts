/** What every command of receptorctl works with. */
import type { ByteConn } from "../base/byte_conn.ts";
import type { Clock } from "../base/clock.ts";
import { deadline } from "../base/deadline.ts";
import { ControlClient } from "../control/client.ts";
import { CtlError } from "./ctl_error.ts";
import type { Terminal } from "./terminal.ts";

/** Standard input, as far as it is used. */
export interface Input {
  read(into: Uint8Array): Promise<number | null>;
  isTerminal(): boolean;
  setRaw(raw: boolean): void;
}

/** The window in which receptorctl runs, if any. */
export interface Window {
  /** In characters; undefined if there is none. */
  size(): { readonly rows: number; readonly columns: number } | undefined;
  /** Disposing ends the calls. */
  onResize(listener: () => void): Disposable;
}

export interface Ctl {
  readonly node: NodeConnection;
  readonly terminal: Terminal;
  readonly input: Input;
  readonly window: Window;
  readonly environment: (name: string) => string | undefined;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
  readonly versions: { readonly receptorctl: string; readonly receptor: string };
}

/** A control service greets at once; a very busy node takes some seconds. */
const GREETING_TIMEOUT_MS = 30_000;

function silentServer(): CtlError {
  const seconds = GREETING_TIMEOUT_MS / 1000;
  return new CtlError(
    `No greeting from a control service within ${seconds} s: something else listens there, or ` +
      "the node hangs",
  );
}

export interface NodeConnectionDeps {
  readonly open: () => Promise<ByteConn>;
  readonly clock: Clock;
}

/**
 * The connection to the node: opened when first asked for, used for one command after the other,
 * and opened again after a command that used it up.
 */
export class NodeConnection implements Disposable {
  readonly #deps: NodeConnectionDeps;
  readonly #signal: AbortSignal;
  #client: ControlClient | undefined;

  constructor(deps: NodeConnectionDeps, signal: AbortSignal) {
    this.#deps = deps;
    this.#signal = signal;
  }

  async client(): Promise<ControlClient> {
    this.#client ??= await this.#greeted(await this.#deps.open());
    return this.#client;
  }

  /** The client for a command that uses up its connection; the caller closes it. */
  async lastUse(): Promise<ControlClient> {
    const client = await this.client();
    this.#client = undefined;
    return client;
  }

  async command(command: string | Record<string, unknown>): Promise<Record<string, unknown>> {
    return await (await this.client()).command(command, { signal: this.#signal });
  }

  /** A separate connection to the same node, for what must be done after Ctrl-C. */
  again(signal: AbortSignal): NodeConnection {
    return new NodeConnection(this.#deps, signal);
  }

  async #greeted(conn: ByteConn): Promise<ControlClient> {
    using limit = deadline(this.#deps.clock, GREETING_TIMEOUT_MS, silentServer);
    const signal = AbortSignal.any([this.#signal, limit.signal]);
    return await ControlClient.connect(conn, { signal });
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

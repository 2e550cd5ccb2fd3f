/** What every command of receptorctl works with. */
import type { ByteConn } from "../base/byte_conn.ts";
import { ControlClient } from "../control/client.ts";
import type { Terminal } from "./terminal.ts";

/** Standard input, as far as it is used. */
export interface Input {
  read(into: Uint8Array): Promise<number | null>;
  isTerminal(): boolean;
  setRaw(raw: boolean): void;
}

export interface Ctl {
  readonly node: NodeConnection;
  readonly terminal: Terminal;
  readonly input: Input;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
  readonly versions: { readonly receptorctl: string; readonly receptor: string };
}

/**
 * The connection to the node: opened when first asked for, used for one command after the other,
 * and opened again after a command that used it up.
 */
export class NodeConnection implements Disposable {
  readonly #open: () => Promise<ByteConn>;
  readonly #signal: AbortSignal;
  #client: ControlClient | undefined;

  constructor(open: () => Promise<ByteConn>, signal: AbortSignal) {
    this.#open = open;
    this.#signal = signal;
  }

  async client(): Promise<ControlClient> {
    this.#client ??= await ControlClient.connect(await this.#open(), { signal: this.#signal });
    return this.#client;
  }

  /** The client for a command after which its connection is of no more use; the caller closes it. */
  async lastUse(): Promise<ControlClient> {
    const client = await this.client();
    this.#client = undefined;
    return client;
  }

  async command(command: string | Record<string, unknown>): Promise<Record<string, unknown>> {
    return await (await this.client()).command(command, { signal: this.#signal });
  }

  /** A connection of its own to the same node, for what must be done after Ctrl-C. */
  again(signal: AbortSignal): NodeConnection {
    return new NodeConnection(this.#open, signal);
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The commands about one unit to the control service of its node. */
import type { ControlClient, ResultsStream } from "../../control/client.ts";
import { ControlError } from "../../control/control_error.ts";
import type { RemoteAccess } from "./remote_access.ts";
import { readRemoteStatus, type RemoteStatus } from "./remote_decision.ts";
import type { RemoteLedger } from "./remote_ledger.ts";
import type { RemoteNodes } from "./remote_nodes.ts";
import { unitCommand } from "../signed_command.ts";
import { refusals } from "../work_texts.ts";

/**
 * A node that answers at all takes no longer than this for one command; Go's cancel takes up to 10
 * s.
 */
const COMMAND_TIMEOUT_MS = 60_000;

type Signed = { signature: string } | Record<never, never>;

export interface RemoteControlDeps extends RemoteAccess {
  readonly nodes: RemoteNodes;
  readonly ledger: RemoteLedger;
}

export class RemoteControl {
  readonly #deps: RemoteControlDeps;

  constructor(deps: RemoteControlDeps) {
    this.#deps = deps;
  }

  /** A connection for a single use. The caller closes the client. */
  connect(signal: AbortSignal): Promise<ControlClient> {
    return this.#deps.nodes.connect(this.#deps.ledger.extra, signal);
  }

  /**
   * A fresh signature for `command`, as `signed_command.ts` writes it, as a member of that command;
   * none unless the submitter asked for signed work.
   */
  async signature(command: string): Promise<Signed> {
    const { ledger, signWork } = this.#deps;
    const { SignWork, RemoteNode } = ledger.extra;
    if (!SignWork) return {};
    if (signWork === undefined) throw new Error(refusals.noSigningKey);
    return { signature: await signWork(RemoteNode, command) };
  }

  async status(signal: AbortSignal): Promise<RemoteStatus> {
    return readRemoteStatus(await this.#command("status", {}, signal));
  }

  /** Cancels or releases the unit there. */
  async tell(wish: "cancel" | "release", signal: AbortSignal): Promise<void> {
    const { RemoteUnitID } = this.#deps.ledger.extra;
    await this.#command(wish, await this.signature(unitCommand(wish, RemoteUnitID)), signal);
  }

  /** The unit's output from byte `startPos` on. The caller closes the stream. */
  async results(startPos: number, signal: AbortSignal): Promise<ResultsStream> {
    const client = await this.connect(signal);
    try {
      const { RemoteUnitID } = this.#deps.ledger.extra;
      const signed = await this.signature(unitCommand("results", RemoteUnitID));
      return await client.results(RemoteUnitID, startPos, { ...signed, signal });
    } catch (error) {
      client.close();
      throw error;
    }
  }

  /** Whether the remote node has answered that there is no such unit. */
  isUnknownUnit(error: unknown): error is ControlError {
    return error instanceof ControlError &&
      error.message === refusals.unknownUnit(this.#deps.ledger.extra.RemoteUnitID);
  }

  /** Whether the remote node has answered that it has the unit, but not its output. */
  isOutputLost(error: unknown): error is ControlError {
    return error instanceof ControlError &&
      error.message === refusals.outputLost(this.#deps.ledger.extra.RemoteUnitID);
  }

  #command(
    subcommand: "status" | "cancel" | "release",
    signed: Signed,
    signal: AbortSignal,
  ): Promise<Record<string, unknown>> {
    const { clock, nodes, ledger } = this.#deps;
    const command = { command: "work", subcommand, unitid: ledger.extra.RemoteUnitID, ...signed };
    return nodes.run(ledger.extra, async (client) => {
      const timeout = new AbortController();
      using _timer = clock.after(
        COMMAND_TIMEOUT_MS,
        () => timeout.abort(new Error(`no reply to work ${subcommand}`)),
      );
      return await client.command(command, { signal: AbortSignal.any([signal, timeout.signal]) });
    }, signal);
  }
}

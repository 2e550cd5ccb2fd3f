/** What is said about one unit to the control service of its node. */
import type { ControlClient, ResultsStream } from "../../control/client.ts";
import { ControlError } from "../../control/control_error.ts";
import { connectToRemote, type RemoteAccess } from "./remote_access.ts";
import { readRemoteStatus, type RemoteStatus } from "./remote_decision.ts";
import type { RemoteLedger } from "./remote_ledger.ts";
import { refusals } from "../work_texts.ts";

/** A node that answers at all takes no longer for one command; Go's cancel takes up to 10 s. */
const COMMAND_TIMEOUT_MS = 60_000;

type Signed = { signature: string } | Record<never, never>;

export class RemoteControl {
  readonly #access: RemoteAccess;
  readonly #ledger: RemoteLedger;

  constructor(access: RemoteAccess, ledger: RemoteLedger) {
    this.#access = access;
    this.#ledger = ledger;
  }

  /** The caller closes the client. */
  async connect(signal: AbortSignal): Promise<ControlClient> {
    const { extra } = this.#ledger;
    if (!this.#access.mesh.hasRoute(extra.RemoteNode)) throw new Error("no route to node");
    return await connectToRemote(this.#access, extra, signal);
  }

  /** A fresh signature as a member of a command; none unless the submitter asked for signed work. */
  async signature(): Promise<Signed> {
    const { SignWork, RemoteNode } = this.#ledger.extra;
    if (!SignWork) return {};
    if (this.#access.signWork === undefined) throw new Error(refusals.noSigningKey);
    return { signature: await this.#access.signWork(RemoteNode) };
  }

  async status(client: ControlClient, signal: AbortSignal): Promise<RemoteStatus> {
    return readRemoteStatus(await this.#command(client, "status", {}, signal));
  }

  /** Cancels or releases the unit there. */
  async tell(
    client: ControlClient,
    wish: "cancel" | "release",
    signal: AbortSignal,
  ): Promise<void> {
    await this.#command(client, wish, await this.signature(), signal);
  }

  /** Makes of `client` the unit's output from byte `startPos` on. */
  async results(
    client: ControlClient,
    startPos: number,
    signal: AbortSignal,
  ): Promise<ResultsStream> {
    const signed = await this.signature();
    return await client.results(this.#ledger.extra.RemoteUnitID, startPos, { ...signed, signal });
  }

  /** Whether the remote node has answered that there is no such unit. */
  isUnknownUnit(error: unknown): error is ControlError {
    return error instanceof ControlError &&
      error.message === refusals.unknownUnit(this.#ledger.extra.RemoteUnitID);
  }

  async #command(
    client: ControlClient,
    subcommand: "status" | "cancel" | "release",
    signed: Signed,
    signal: AbortSignal,
  ): Promise<Record<string, unknown>> {
    const timeout = new AbortController();
    using _timer = this.#access.clock.after(
      COMMAND_TIMEOUT_MS,
      () => timeout.abort(new Error(`no reply to work ${subcommand}`)),
    );
    const unitid = this.#ledger.extra.RemoteUnitID;
    return await client.command({ command: "work", subcommand, unitid, ...signed }, {
      signal: AbortSignal.any([signal, timeout.signal]),
    });
  }
}

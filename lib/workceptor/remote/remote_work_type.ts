/** Work on other nodes as a type of work: every submission for another node is one of its units. */
import { messageOf } from "../../base/error_message.ts";
import { parseGoDurationNs } from "../../base/go_duration.ts";
import { ControlError } from "../../control/control_error.ts";
import type { SubmitRequest } from "../../control/work_service.ts";
import type { Unit, UnitDeps } from "../unit.ts";
import type { UnitLedger } from "../unit_ledger.ts";
import { refusals } from "../work_texts.ts";
import type { PreparedUnit, WorkType } from "../work_type.ts";
import type { RemoteAccess } from "./remote_access.ts";
import { isSecret, newRemoteExtraData } from "./remote_extra_data.ts";
import { RemoteNodes } from "./remote_nodes.ts";
import { RemoteUnit } from "./remote_unit.ts";

export class RemoteWork implements WorkType, Disposable {
  readonly runs = "elsewhere";
  readonly #access: RemoteAccess;
  readonly #nodeId: string;
  readonly #nodes: RemoteNodes;

  /** `nodeId` is this node's. */
  constructor(access: RemoteAccess, options: { nodeId: string }) {
    this.#access = access;
    this.#nodeId = options.nodeId;
    this.#nodes = new RemoteNodes(access);
  }

  requiresSignature(signWork: boolean): boolean {
    return signWork;
  }

  prepare(request: SubmitRequest): PreparedUnit {
    const { node, workType, tlsClient, ttl, signWork, params } = request;
    if (tlsClient !== "" && this.#access.tlsClient(tlsClient) === undefined) {
      throw new ControlError(refusals.unknownTls(tlsClient));
    }
    if (tlsClient === "" && Object.keys(params).some(isSecret)) {
      throw new ControlError(refusals.secretsWithoutTls);
    }
    if (signWork && this.#access.signWork === undefined) {
      throw new ControlError(refusals.noSigningKey);
    }
    const expiresAt = ttl === "" ? undefined : this.#access.clock.wallTime() + durationMs(ttl);
    return {
      extraData: newRemoteExtraData({ node, workType, tlsClient, signWork, params, expiresAt }),
      create: (ledger, deps) => this.#unit(ledger, deps, params),
    };
  }

  load(ledger: UnitLedger, deps: UnitDeps): Unit {
    return this.#unit(ledger, deps);
  }

  /** Closes the connections that units share, after the units have ended. */
  [Symbol.dispose](): void {
    this.#nodes[Symbol.dispose]();
  }

  #unit(ledger: UnitLedger, deps: UnitDeps, params?: Readonly<Record<string, string>>): Unit {
    const own = { nodeId: this.#nodeId, nodes: this.#nodes };
    return new RemoteUnit({ ...this.#access, ...deps, ...own }, ledger, params);
  }
}

/** Throws a `ControlError` in Go's words. */
function durationMs(ttl: string): number {
  try {
    return parseGoDurationNs(ttl) / 1e6;
  } catch (error) {
    throw new ControlError(messageOf(error), { cause: error });
  }
}

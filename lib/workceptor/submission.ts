/** Takes submissions: checks them, has their units created, and takes the payload of each. */
import { ControlError } from "../control/control_error.ts";
import { type PendingUnit, type SubmitRequest, UnitState } from "../control/work_service.ts";
import { isLocalhost, isNodeId } from "../wire/node_id.ts";
import { IncomingPayload } from "./incoming_payload.ts";
import { isAcceptableUnitId, MAX_UNIT_ID_LENGTH } from "./unit_id.ts";
import type { UnitRegistry } from "./unit_registry.ts";
import type { WorkType } from "./work_type.ts";
import type { WorkTypes } from "./work_types.ts";
import { details, refusals } from "./work_texts.ts";

export interface SubmissionDeps {
  readonly registry: UnitRegistry;
  readonly types: WorkTypes;
}

export class Submission implements Disposable {
  readonly #deps: SubmissionDeps;
  readonly #nodeId: string;
  readonly #payloads = new Set<IncomingPayload>();

  constructor(deps: SubmissionDeps, options: { nodeId: string }) {
    this.#deps = deps;
    this.#nodeId = options.nodeId;
  }

  /** Creates the unit of an authorized submission. Throws a `ControlError` to refuse it. */
  async submit(request: SubmitRequest): Promise<PendingUnit> {
    const { workUnitId } = request;
    const [WorkType, type] = this.#typeFor(request);
    const prepared = type.prepare(request);
    if (workUnitId !== "" && !isAcceptableUnitId(workUnitId)) {
      throw new ControlError(refusals.badUnitId(workUnitId, MAX_UNIT_ID_LENGTH));
    }
    const { unit, stdin } = await this.#deps.registry.create(
      workUnitId,
      {
        State: UnitState.Pending,
        Detail: details.waitingForInput,
        StdoutSize: 0,
        WorkType,
        ExtraData: prepared.extraData,
      },
      (ledger, deps) => prepared.create(ledger, deps),
    );
    const payload = new IncomingPayload(unit, stdin, (closed) => this.#payloads.delete(closed));
    this.#payloads.add(payload);
    return payload;
  }

  /** Whether the work is for this node. */
  isHere({ node }: SubmitRequest): boolean {
    return isLocalhost(node) || node === this.#nodeId;
  }

  #typeFor(request: SubmitRequest): [name: string, type: WorkType] {
    const { node, workType, ttl } = request;
    if (this.isHere(request)) {
      if (ttl !== "") throw new ControlError(refusals.ttlNotRemote);
      return [workType, this.#deps.types.here(workType)];
    }
    if (!isNodeId(node)) throw new ControlError(refusals.badNode(node));
    return this.#deps.types.elsewhere();
  }

  /** Takes no more payload; the units whose payload was cut off fail when they are next found. */
  [Symbol.dispose](): void {
    for (const payload of this.#payloads) payload.close();
  }
}

/**
 * A type of work: how its units are made and taken up again. The registry of units, submission and
 * authorization know the types only by this interface, which each kind of work implements in a
 * folder of its own.
 */
import type { SubmitRequest } from "../control/work_service.ts";
import type { Unit, UnitDeps } from "./unit.ts";
import type { UnitLedger } from "./unit_ledger.ts";

export interface WorkType {
  /**
   * Where its units run. A type for this node is named by those who submit, and advertised to the
   * mesh; the one for other nodes takes every submit for them, whatever work type is asked for.
   */
  readonly runs: "here" | "elsewhere";
  /**
   * Whether commands about a unit must be signed when they do not come over the unix socket;
   * `signWork` says whether its submitter asked for signatures.
   */
  requiresSignature(signWork: boolean): boolean;
  /** Checks a submit, before anything is written. Throws a `ControlError` to refuse it. */
  prepare(request: SubmitRequest): PreparedUnit;
  /** The unit that an earlier daemon left on disk, as yet inactive: `Unit.resume` takes it up. */
  load(ledger: UnitLedger, deps: UnitDeps): Unit;
}

/** A submit that was found to be in order. */
export interface PreparedUnit {
  /** `ExtraData` of the unit's first record. */
  readonly extraData: unknown;
  /** Makes the unit once its record is on disk. */
  create(ledger: UnitLedger, deps: UnitDeps): Unit;
}

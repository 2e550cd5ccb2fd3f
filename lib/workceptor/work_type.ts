/**
 * A type of work: how its units are created and resumed. The registry of units, submission and
 * authorization know the types only by this interface, which each kind of work implements in its
 * own folder.
 */
import type { SubmitRequest } from "../control/work_service.ts";
import type { Unit, UnitDeps } from "./unit.ts";
import type { UnitLedger } from "./unit_ledger.ts";

export interface WorkType {
  /**
   * Where its units run. A type for this node is named by submitters, and advertised to the mesh;
   * the one for other nodes takes every submission for them, whatever work type it names.
   */
  readonly runs: "here" | "elsewhere";
  /**
   * Whether commands about a unit must be signed if they do not come over the Unix socket;
   * `signWork` says whether its submitter asked for signatures.
   */
  requiresSignature(signWork: boolean): boolean;
  /** Checks a submission before anything is written. Throws a `ControlError` to refuse it. */
  prepare(request: SubmitRequest): PreparedUnit;
  /** The unit that an earlier daemon left on disk, still inactive until `Unit.resume`. */
  load(ledger: UnitLedger, deps: UnitDeps): Unit;
}

/** A submission that has been checked. */
export interface PreparedUnit {
  /** `ExtraData` of the unit's first record. */
  readonly extraData: unknown;
  /** Makes the unit once its record is on disk. */
  create(ledger: UnitLedger, deps: UnitDeps): Unit;
}

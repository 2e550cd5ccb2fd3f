/**
 * What an embedding program may want to know about units of work as it happens, such as for its
 * metrics. The methods are called in the middle of the work, so they should be quick; what they
 * throw is logged and does no harm.
 */
import type { MethodsOf } from "../base/observer.ts";
import type { UnitState } from "../control/work_service.ts";

/** A unit at the time of an event. */
export interface UnitEvent {
  readonly id: string;
  readonly workType: string;
  readonly state: UnitState;
  /** For people. */
  readonly detail: string;
  /** The node it runs on, if that is another one. */
  readonly remoteNode: string | undefined;
}

/** A new state or detail. */
export interface UnitChangedEvent extends UnitEvent {
  /** The previous state; `undefined` for a unit that was just created, or found on disk. */
  readonly before: UnitState | undefined;
}

export interface WorkceptorObserver {
  unitChanged?(event: UnitChangedEvent): void;
  /** The unit was released, or somebody took its folder away. */
  unitRemoved?(event: UnitEvent): void;
}

/** All methods of a `WorkceptorObserver`. */
export const workceptorEvents: MethodsOf<WorkceptorObserver> = {
  unitChanged: true,
  unitRemoved: true,
};

/**
 * What an embedding program may want to know about the mesh as it happens, such as for its metrics.
 * Most of it is in the node's log anyway. The methods are called in the middle of the work, so they
 * should be quick; what they throw is logged and does no harm.
 */
import type { MethodsOf } from "../base/observer.ts";

/** A link to a neighbour. */
export interface LinkEvent {
  /** Node id. */
  readonly neighbour: string;
  readonly cost: number;
  /** What the link runs over, as its backend describes it. */
  readonly description: string;
}

export interface LinkDownEvent extends LinkEvent {
  /** Why it ended, for people. */
  readonly reason: string;
  /** How long it was up, in milliseconds. */
  readonly upMs: number;
  /** Messages for which its queue had no room. */
  readonly dropped: { readonly data: number; readonly control: number };
}

/** A link that one end refuses. */
export interface RefusalEvent {
  /** Node id; "" if it is not known yet. */
  readonly neighbour: string;
  readonly description: string;
  readonly refusedBy: "us" | "neighbour";
  /** For people. */
  readonly reason: string;
}

/** The neighbour to go through, for each node that can be reached. */
export interface RoutesEvent {
  readonly before: ReadonlyMap<string, string>;
  readonly routes: ReadonlyMap<string, string>;
}

/** Reported at most once in ten seconds for each reason. */
export interface DropEvent {
  /** One of a few texts. */
  readonly reason: string;
  /** Details of the last time, for people; may be "". */
  readonly detail: string;
  /** Node id of the neighbour that it came from, if there is just one; or "". */
  readonly neighbour: string;
  /** How often since the last report. */
  readonly count: number;
  /** How often since the node started. */
  readonly total: number;
}

export interface NetceptorObserver {
  linkUp?(event: LinkEvent): void;
  linkDown?(event: LinkDownEvent): void;
  peerRefused?(event: RefusalEvent): void;
  routesChanged?(event: RoutesEvent): void;
  /** Messages that could not be understood or delivered. */
  dropped?(event: DropEvent): void;
  /** Something was refused or forgotten because there was no room for more. */
  limitHit?(event: DropEvent): void;
}

/** All methods of a `NetceptorObserver`. */
export const netceptorEvents: MethodsOf<NetceptorObserver> = {
  linkUp: true,
  linkDown: true,
  peerRefused: true,
  routesChanged: true,
  dropped: true,
  limitHit: true,
};

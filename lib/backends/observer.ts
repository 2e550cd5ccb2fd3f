/** What an embedding program may want to know about connections that backends turn away. */
import type { MethodsOf } from "../base/observer.ts";

/** A connection that a listener ended before it became a session: its handshake failed. */
export interface RefusedConnectionEvent {
  /** Where the listener is, such as `[::]:7323`. */
  readonly listener: string;
  /** Where the connection came from. */
  readonly remote: string;
  /** For people. */
  readonly reason: string;
}

/** The methods are called in the middle of the work, so they should be quick. */
export interface BackendObserver {
  connectionRefused?(event: RefusedConnectionEvent): void;
}

/** All methods of a `BackendObserver`. */
export const backendEvents: MethodsOf<BackendObserver> = { connectionRefused: true };

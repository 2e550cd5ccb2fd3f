/** The state of a connection, as one value, and the one function that changes it. */
import { QuicError } from "./quic_error.ts";

/** Deadlines are in milliseconds of the endpoint's clock. */
export type ConnectionState =
  /** Ends at `deadline` if the handshake is not complete by then. */
  | { readonly phase: "handshaking"; readonly deadline: number }
  | { readonly phase: "established" }
  /** Over, but the core still has to tell the peer or answer packets that were on their way. */
  | { readonly phase: "closing"; readonly error: QuicError }
  /** The core is done with it; what has arrived can still be read. */
  | { readonly phase: "drained"; readonly error: QuicError }
  /** Nobody needs anything from it any more: its memory is freed. */
  | { readonly phase: "released"; readonly error: QuicError };

export type ConnectionEvent =
  /** From the core. */
  | { readonly type: "connected" }
  | { readonly type: "lost"; readonly error: QuicError }
  | { readonly type: "drained" }
  /** From our side. */
  | { readonly type: "closed"; readonly error: QuicError }
  /** Ended without telling the peer: nobody would hear it, or the core is gone. */
  | { readonly type: "abandoned"; readonly error: QuicError }
  | { readonly type: "released" };

/** The state after `event`. Events that have no meaning in a state leave it unchanged. */
export function transition(state: ConnectionState, event: ConnectionEvent): ConnectionState {
  switch (event.type) {
    case "connected":
      return state.phase === "handshaking" ? { phase: "established" } : state;
    case "lost":
    case "closed":
      return "error" in state ? state : { phase: "closing", error: event.error };
    case "abandoned":
      if (state.phase === "released") return state;
      return { phase: "drained", error: "error" in state ? state.error : event.error };
    case "drained":
      if (state.phase === "released") return state;
      return { phase: "drained", error: "error" in state ? state.error : unexplained() };
    case "released":
      return state.phase === "drained" ? { phase: "released", error: state.error } : state;
  }
}

/** Why the connection is over, if it is. */
export function endOf(state: ConnectionState): QuicError | undefined {
  return "error" in state ? state.error : undefined;
}

/** When the connection has to end by itself. */
export function deadlineOf(state: ConnectionState): number {
  return "deadline" in state ? state.deadline : Infinity;
}

/** For a core that is done with a connection without having said why, which should not happen. */
function unexplained(): QuicError {
  return new QuicError("the connection ended for no known reason", "other");
}

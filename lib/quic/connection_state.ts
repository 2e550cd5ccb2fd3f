/**
 * The state of a connection, as one value, and the one function that changes it. It has four
 * independent parts: the connection's life, who has its stream, and the stream's two directions.
 */
import { QuicError } from "./quic_error.ts";

/** Deadlines are in milliseconds of the endpoint's clock. */
export type Life =
  /** Ends at `deadline` if the handshake is not complete by then. */
  | { readonly phase: "handshaking"; readonly deadline: number }
  | { readonly phase: "established" }
  /** Our user closed the stream; the peer has until `deadline` to read the rest. */
  | { readonly phase: "lingering"; readonly deadline: number }
  /** Over, but the core still has to tell the peer or answer packets that were on their way. */
  | { readonly phase: "closing"; readonly error: QuicError }
  /** The core is done with it; what has arrived can still be read. */
  | { readonly phase: "drained"; readonly error: QuicError }
  /** Nobody needs anything from it any more: its memory is freed. */
  | { readonly phase: "released"; readonly error: QuicError };

/** Who has the connection's one stream: nobody yet, our user, or nobody any more. */
export type Holder = "none" | "user" | "closed";

/** What comes from the peer. */
export type Reading =
  /** The stream is not there yet. */
  | "awaited"
  | "open"
  /** We no longer read it, but the peer has not ended it. */
  | "left"
  /** The peer ended or abandoned it. */
  | "ended";

/** What goes to the peer. */
export type Writing =
  | "open"
  /** The peer has everything, including the end, or there was nothing to deliver. */
  | "delivered"
  /** The peer no longer reads. */
  | "stopped";

export interface ConnectionState {
  /** Whether we dialled. */
  readonly dialled: boolean;
  readonly life: Life;
  readonly holder: Holder;
  readonly reading: Reading;
  readonly writing: Writing;
}

export type ConnectionEvent =
  /** From the core. */
  | { readonly type: "connected" }
  | { readonly type: "stream-available" }
  | { readonly type: "lost"; readonly error: QuicError }
  | { readonly type: "delivered" }
  | { readonly type: "stopped" }
  | { readonly type: "drained" }
  /** From our side. */
  | { readonly type: "closed"; readonly error: QuicError }
  /** Ended without telling the peer: nobody would hear it, or the core is gone. */
  | { readonly type: "abandoned"; readonly error: QuicError }
  | { readonly type: "released" }
  /** From the stream and its user. */
  | { readonly type: "stream-claimed" }
  /** The claimed stream did not come. */
  | { readonly type: "claim-failed" }
  | { readonly type: "stream-closed"; readonly lingerUntil: number }
  | { readonly type: "reading-ended"; readonly byPeer: boolean };

/** A new connection. */
export function initialState(dialled: boolean, deadline: number): ConnectionState {
  return {
    dialled,
    life: { phase: "handshaking", deadline },
    holder: "none",
    reading: "awaited",
    writing: "open",
  };
}

/** The state after `event`. Events that have no meaning in a state leave it unchanged. */
export function transition(state: ConnectionState, event: ConnectionEvent): ConnectionState {
  return {
    dialled: state.dialled,
    life: nextLife(state.life, event),
    holder: nextHolder(state.holder, event),
    reading: nextReading(state.reading, event),
    writing: nextWriting(state.writing, event),
  };
}

/** Why the connection is over, if it is. */
export function endOf({ life }: ConnectionState): QuicError | undefined {
  return "error" in life ? life.error : undefined;
}

/** When the connection has to end by itself. */
export function deadlineOf({ life }: ConnectionState): number {
  return "deadline" in life ? life.deadline : Infinity;
}

/**
 * What the state calls for: closing the connection because that costs the peer nothing, or freeing
 * its memory.
 *
 * A Go peer loses what it has received but not yet read when the connection closes. So the dialler
 * closes once the peer has ended its direction and has all of ours; the accepting side leaves that
 * to the dialler, unless the dialler no longer reads. Otherwise the linger time decides.
 */
export function decide(state: ConnectionState): "close" | "release" | undefined {
  const { dialled, life, holder, reading, writing } = state;
  switch (life.phase) {
    case "established":
    case "lingering":
      if (holder !== "closed" || reading !== "ended") return undefined;
      return (dialled ? writing !== "open" : writing === "stopped") ? "close" : undefined;
    case "drained":
      return holder === "none" || reading === "left" || reading === "ended" ? "release" : undefined;
    default:
      return undefined;
  }
}

function nextLife(life: Life, event: ConnectionEvent): Life {
  switch (event.type) {
    case "connected":
      return life.phase === "handshaking" ? { phase: "established" } : life;
    case "stream-closed":
      return life.phase === "established"
        ? { phase: "lingering", deadline: event.lingerUntil }
        : life;
    case "lost":
    case "closed":
      return "error" in life ? life : { phase: "closing", error: event.error };
    case "abandoned":
      if (life.phase === "released") return life;
      return { phase: "drained", error: "error" in life ? life.error : event.error };
    case "drained":
      if (life.phase === "released") return life;
      return { phase: "drained", error: "error" in life ? life.error : unexplained() };
    case "released":
      return life.phase === "drained" ? { phase: "released", error: life.error } : life;
    default:
      return life;
  }
}

function nextHolder(holder: Holder, event: ConnectionEvent): Holder {
  switch (event.type) {
    case "stream-claimed":
      return holder === "none" ? "user" : holder;
    case "claim-failed":
      return holder === "user" ? "none" : holder;
    case "stream-closed":
      return "closed";
    default:
      return holder;
  }
}

function nextReading(reading: Reading, event: ConnectionEvent): Reading {
  switch (event.type) {
    case "stream-available":
      return reading === "awaited" ? "open" : reading;
    case "closed":
    case "abandoned":
    case "stream-closed":
      return reading === "ended" ? reading : "left";
    case "reading-ended":
      return event.byPeer || reading === "ended" ? "ended" : "left";
    default:
      return reading;
  }
}

function nextWriting(writing: Writing, event: ConnectionEvent): Writing {
  switch (event.type) {
    case "delivered":
      return writing === "open" ? "delivered" : writing;
    case "stopped":
      return "stopped";
    default:
      return writing;
  }
}

/** For a core that is done with a connection without having said why, which should not happen. */
function unexplained(): QuicError {
  return new QuicError("the connection ended for no known reason", "other");
}

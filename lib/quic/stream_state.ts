/**
 * The state of a stream, as one value, and the one function that changes it. It has three
 * independent parts: who has the stream, and its two directions.
 */

/** Deadlines are in milliseconds of the endpoint's clock. */
export type Holder =
  /** Nobody has it yet. */
  | { readonly phase: "none" }
  | { readonly phase: "user" }
  /** Our user closed it; the peer has until `deadline` to read the rest and end its direction. */
  | { readonly phase: "closed"; readonly deadline: number };

/** What comes from the peer. */
export type Reading =
  | "open"
  /** We no longer read it, but the peer has not ended it. */
  | "left"
  /** Likewise, and the peer has been told. */
  | "stopped"
  /** The peer ended it or broke it off. */
  | "ended";

/** What goes to the peer. */
export type Writing =
  | "open"
  /** The peer has everything, including the end, or there was nothing to deliver. */
  | "delivered"
  /** The peer no longer reads, or we broke it off. */
  | "stopped";

export interface StreamState {
  readonly holder: Holder;
  readonly reading: Reading;
  readonly writing: Writing;
}

export type StreamStateEvent =
  /** From the peer. */
  | { readonly type: "reading-ended" }
  | { readonly type: "delivered" }
  | { readonly type: "stopped" }
  /** From our user. */
  | { readonly type: "claimed" }
  | { readonly type: "closed"; readonly deadline: number }
  | { readonly type: "broken-off"; readonly deadline: number }
  /** The peer is told that we no longer read. */
  | { readonly type: "reading-stopped" }
  /** Nothing more can be read, as the connection is over. */
  | { readonly type: "reading-lost" };

/** Whose stream it is, which says how it ends. */
export type Role =
  /** The one stream of a connection that we dialled … */
  | "only-dialled"
  /** … or that we accepted: its end is the connection's. */
  | "only-accepted"
  /** One of many. */
  | "one-of-many";

export const initialStreamState: StreamState = {
  holder: { phase: "none" },
  reading: "open",
  writing: "open",
};

/** The state after `event`. Events that have no meaning in a state leave it unchanged. */
export function streamTransition(state: StreamState, event: StreamStateEvent): StreamState {
  return {
    holder: nextHolder(state.holder, event),
    reading: nextReading(state.reading, event),
    writing: nextWriting(state.writing, event),
  };
}

/** When the stream has to end by itself. */
export function streamDeadline({ holder }: StreamState): number {
  return holder.phase === "closed" ? holder.deadline : Infinity;
}

/** Whether our user may still read what came before the connection ended. */
export function mayHoldUnread({ holder, reading }: StreamState): boolean {
  return holder.phase !== "none" && reading === "open";
}

/**
 * Whether a stream is over, so that it can be forgotten or its connection closed.
 *
 * A Go peer loses what it has received but not yet read when the connection closes. So with one
 * stream to a connection the dialler closes once the peer has ended its direction and has all of
 * ours; the accepting side leaves that to the dialler, unless the dialler no longer reads. Otherwise
 * the deadline decides.
 */
export function isOver({ holder, reading, writing }: StreamState, role: Role): boolean {
  if (holder.phase !== "closed") return false;
  switch (role) {
    case "only-dialled":
      return reading === "ended" && writing !== "open";
    case "only-accepted":
      return reading === "ended" && writing === "stopped";
    case "one-of-many":
      return (reading === "ended" || reading === "stopped") && writing !== "open";
  }
}

function nextHolder(holder: Holder, event: StreamStateEvent): Holder {
  switch (event.type) {
    case "claimed":
      return holder.phase === "none" ? { phase: "user" } : holder;
    case "closed":
    case "broken-off":
      return holder.phase === "closed" ? holder : { phase: "closed", deadline: event.deadline };
    default:
      return holder;
  }
}

function nextReading(reading: Reading, event: StreamStateEvent): Reading {
  switch (event.type) {
    case "reading-ended":
      return "ended";
    case "closed":
    case "reading-lost":
      return reading === "open" ? "left" : reading;
    case "broken-off":
    case "reading-stopped":
      return reading === "ended" ? reading : "stopped";
    default:
      return reading;
  }
}

function nextWriting(writing: Writing, event: StreamStateEvent): Writing {
  switch (event.type) {
    case "delivered":
      return writing === "open" ? "delivered" : writing;
    case "stopped":
      return "stopped";
    case "broken-off":
      return writing === "open" ? "stopped" : writing;
    default:
      return writing;
  }
}

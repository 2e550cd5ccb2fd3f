/**
 * Which connection a new stream goes to, and when a connection that waits for streams closes: the
 * decisions of `ConnectionPool`, without their doing. Times are in milliseconds of one clock.
 */
import type { Identity } from "./tls.ts";

export interface PoolLimits {
  /** Streams on one connection; the listener takes a few more (`EndpointLimits.maxStreams`). */
  readonly maxStreams: number;
  /** A connection without streams closes after this long. */
  readonly idleMs: number;
  /** A connection that is older takes no more streams, and closes with its last one. */
  readonly maxAgeMs: number;
}

export const DEFAULT_POOL_LIMITS: PoolLimits = {
  maxStreams: 32,
  idleMs: 30_000,
  maxAgeMs: 10 * 60_000,
};

/** A connection of the pool, or one that is to become one. */
export type Pooled =
  /** The handshake is under way, for `waiting` streams. */
  | {
    readonly phase: "dialling";
    readonly identity: Identity | undefined;
    readonly waiting: number;
  }
  | {
    readonly phase: "warm";
    /** What we showed of ourselves in the handshake. */
    readonly identity: Identity | undefined;
    /** When the handshake was complete. */
    readonly since: number;
    /** Streams that are not over. */
    readonly streams: number;
  }
  /** Takes no more streams. */
  | { readonly phase: "retired"; readonly streams: number };

/** What a stream that is wanted does: go to a connection, wait for a handshake, or begin one. */
export type Choice<Entry> =
  | { readonly take: Entry }
  | { readonly join: Entry }
  | "dial";

/** Whether a warm connection is too old, or was made with a certificate that has been renewed since. */
export function isStale(
  entry: Pooled,
  now: number,
  identity: Identity | undefined,
  limits: PoolLimits,
): boolean {
  if (entry.phase !== "warm") return false;
  return entry.identity !== identity || now - entry.since >= limits.maxAgeMs;
}

/**
 * The connection for one more stream among `entries`, all to one service with one TLS config, which
 * now shows `identity`. The fullest one that has room, so that others become idle and close. `fresh`
 * asks for one whose handshake is not complete yet.
 */
export function choose<Entry extends Pooled>(
  entries: Iterable<Entry>,
  wanted: {
    readonly now: number;
    readonly identity: Identity | undefined;
    readonly fresh: boolean;
  },
  limits: PoolLimits,
): Choice<Entry> {
  const { now, identity, fresh } = wanted;
  let fullest: Entry | undefined;
  let streams = -1;
  let joinable: Entry | undefined;
  for (const entry of entries) {
    if (entry.phase === "dialling") {
      if (entry.identity === identity && entry.waiting < limits.maxStreams) joinable ??= entry;
    } else if (entry.phase === "warm" && !fresh && !isStale(entry, now, identity, limits)) {
      if (entry.streams >= limits.maxStreams || entry.streams <= streams) continue;
      fullest = entry;
      streams = entry.streams;
    }
  }
  if (fullest !== undefined) return { take: fullest };
  return joinable === undefined ? "dial" : { join: joinable };
}

/** What becomes of a connection whose streams have just become fewer. */
export function fate(
  entry: Pooled,
  now: number,
  identity: Identity | undefined,
  limits: PoolLimits,
): "stay" | "wait" | "close" {
  if (entry.phase === "dialling" || entry.streams > 0) return "stay";
  if (entry.phase === "retired" || isStale(entry, now, identity, limits)) return "close";
  return "wait";
}

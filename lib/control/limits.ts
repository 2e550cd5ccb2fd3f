/**
 * Every bound of the control service. Whoever may connect to the Unix socket may have the node run
 * commands anyway; all others, on TCP or from the mesh, are strangers until one of their commands
 * has been checked, and what they can make the node hold is bounded in bytes. `docs/security.md`
 * lists these with their reasons.
 */
import type { Caller } from "./work_service.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const second = 1000;

/** The limits for one client. */
export interface SessionLimits {
  /** Bytes of a command line without its line feed. */
  readonly lineBytes: number;
  /** From the first byte of a line to its last, in milliseconds. */
  readonly lineMs?: number;
  /** From the greeting to the first byte, in milliseconds. */
  readonly firstCommandMs?: number;
  /** Whether its lines count against the budget of all such clients. */
  readonly budgeted: boolean;
  /** Bytes in one buffer of a stream that it opens (a payload, each direction of a `connect`). */
  readonly bufferBytes: number;
}

const STRANGER = {
  lineMs: 60 * second,
  firstCommandMs: 120 * second,
  budgeted: true,
  bufferBytes: 64 * KiB,
} as const;

/** Parameters travel in the line, including whole files (`-a name=@file`). No time limit. */
const UNIX: SessionLimits = {
  lineBytes: 16 * MiB,
  budgeted: false,
  bufferBytes: 256 * KiB,
};
/**
 * With TLS, where `secret_` parameters are allowed: a pod and a kubeconfig. Kubernetes takes no
 * object over 1.5 MiB, which is etcd's bound.
 */
const SECURED: SessionLimits = { ...STRANGER, lineBytes: 2 * MiB };
/**
 * Twice the longest argument that Linux passes to a program (`MAX_ARG_STRLEN`, 128 KiB), which a
 * parameter becomes: JSON may escape it.
 */
const OPEN: SessionLimits = { ...STRANGER, lineBytes: 256 * KiB };

export function limitsFor({ via, secure }: Pick<Caller, "via" | "secure">): SessionLimits {
  if (via === "unix") return UNIX;
  return secure ? SECURED : OPEN;
}

/** For the long lines of all clients but those on the Unix socket, together. */
export const LINE_BUDGET_BYTES = 16 * MiB;
/**
 * Members, items, objects and lists in a JSON command: each takes far more memory than its length.
 */
export const MAX_JSON_VALUES = 1_000;
/** Characters of an error line: many quote what the client wrote. */
export const MAX_ERROR_LENGTH = 4_096;
/**
 * How long, after the end of a session, to discard what a client still sends, so that it gets to
 * read our last bytes.
 */
export const DISCARD_MS = 5 * second;

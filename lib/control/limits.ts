/**
 * Every bound of the control service. Whoever may connect to the Unix socket may have the node run
 * commands anyway; all others, on TCP or from the mesh, are strangers until a command of theirs has
 * been checked, and what they can make the node hold is bounded in bytes. `docs/security.md` lists
 * these with their reasons.
 */
import type { Caller } from "./work_service.ts";

const KiB = 1024;
const MiB = 1024 * KiB;
const second = 1000;

/** What one client is held to. */
export interface SessionLimits {
  /** Bytes of a command line without its line feed. */
  readonly lineBytes: number;
  /** From the first byte of a line to its last, in milliseconds. */
  readonly lineMs?: number;
  /** From the greeting to the first byte, in milliseconds. */
  readonly firstCommandMs?: number;
  /** Whether its lines count against the budget of all such clients. */
  readonly budgeted: boolean;
  /** What a stream that it opens (a payload, each way of a `connect`) may have in one buffer. */
  readonly bufferBytes: number;
}

const STRANGER = {
  lineMs: 60 * second,
  firstCommandMs: 120 * second,
  budgeted: true,
  bufferBytes: 64 * KiB,
} as const;

/** Parameters travel in the line, among them whole files (`-a name=@file`). No limit of time. */
const UNIX: SessionLimits = {
  lineBytes: 16 * MiB,
  budgeted: false,
  bufferBytes: 256 * KiB,
};
/**
 * Behind TLS, where `secret_` parameters may go: a pod and a kubeconfig. Kubernetes takes no object
 * beyond 1.5 MiB, which is etcd's bound.
 */
const SECURED: SessionLimits = { ...STRANGER, lineBytes: 2 * MiB };
/**
 * Twice the longest word that Linux lets a program have (`MAX_ARG_STRLEN`, 128 KiB), which is what
 * a parameter becomes: JSON may escape it.
 */
const OPEN: SessionLimits = { ...STRANGER, lineBytes: 256 * KiB };

export function limitsFor({ via, secure }: Pick<Caller, "via" | "secure">): SessionLimits {
  if (via === "unix") return UNIX;
  return secure ? SECURED : OPEN;
}

/** For the long lines of all clients but those on the Unix socket, together. */
export const LINE_BUDGET_BYTES = 16 * MiB;
/** Members, items, objects and lists in a JSON command: each costs far more than it is long. */
export const MAX_JSON_VALUES = 1_000;
/** Characters of an error line: many quote what the client wrote. */
export const MAX_ERROR_LENGTH = 4_096;
/** How long what a client still sends is read away at our end, so that it reads our last bytes. */
export const DISCARD_MS = 5 * second;

/**
 * What the control service needs from whatever keeps units of work. `lib/workceptor` implements it;
 * the control protocol knows no more about jobs than this.
 *
 * Every method may throw a `ControlError`, whose message goes to the client after `ERROR: ` as is.
 */

/** Who sent a control command; the Unix socket needs no signature for units of a signed type. */
export interface Caller {
  /** What carried the command here. */
  readonly via: "unix" | "tcp" | "mesh";
  /** Whether the connection is secured by a named TLS config (`secret_` parameters need that). */
  readonly secure: boolean;
  /** For the log: the mesh address, socket address or `unix`. */
  readonly description: string;
  /** Node ids that the client's certificate vouches for; absent without a verified certificate. */
  readonly certifiedNodes?: readonly string[] | undefined;
  /**
   * The node or host that it comes from, in whose share of the bounds it counts; if absent,
   * `description`.
   */
  readonly peer?: string;
  /** The neighbour through which a node is reached: it may have invented the node. */
  readonly neighbour?: string | undefined;
}

/** Numbers as the original stores and sends them. */
export const UnitState = {
  Pending: 0,
  Running: 1,
  Succeeded: 2,
  Failed: 3,
  Canceled: 4,
} as const;
export type UnitState = (typeof UnitState)[keyof typeof UnitState];

/** One unit as `work status` and `work list` print it, in the original's spelling and order. */
export interface UnitStatus {
  Detail: string;
  ExtraData: unknown;
  State: UnitState;
  StateName: string;
  /** Bytes of output so far. */
  StdoutSize: number;
  WorkType: string;
}

/** A `work submit`, from either form of the command. */
export interface SubmitRequest {
  node: string;
  workType: string;
  /** Name of a `tls-client` config, "" for none. */
  tlsClient: string;
  /** A Go duration, "" for none. */
  ttl: string;
  signWork: boolean;
  signature: string;
  /** The unit id chosen by the submitter (1.6 and later), "" to have one made. */
  workUnitId: string;
  /** Everything else in the command: the work type's own parameters. */
  params: Record<string, string>;
}

/** A unit that has an id and a folder and waits for its payload. */
export interface PendingUnit {
  readonly unitId: string;
  /** Appends to the payload; resolves once it is taken. */
  writePayload(bytes: Uint8Array): Promise<void>;
  /** The payload is complete (and safe on disk): starts the unit. Resolves to the reply's text. */
  start(): Promise<"Job Started" | "Job Submitted">;
  /** The client left before the end of its payload: the unit fails with `reason`. */
  abandon(reason: string): Promise<void>;
}

export interface WorkService {
  submit(request: SubmitRequest, caller: Caller): Promise<PendingUnit>;
  /** All units by id, or just the one asked for. */
  list(unitId?: string): Promise<Record<string, UnitStatus>>;
  status(unitId: string): Promise<UnitStatus>;
  /** Resolves at once: `pending` if a remote node has yet to be told. */
  cancel(unitId: string, auth: Authorization): Promise<{ pending: boolean }>;
  release(
    unitId: string,
    auth: Authorization & { force: boolean },
  ): Promise<{ pending: boolean }>;
  /**
   * Opens a unit's output at `startPos`: checks id and authorization before it resolves, then
   * yields bytes as the job writes them and ends when the unit is complete. A yielded view is
   * valid until the next one is asked for.
   */
  results(
    unitId: string,
    request: Authorization & { startPos: number; signal: AbortSignal },
  ): Promise<AsyncIterable<Uint8Array>>;
}

/** What the cancel, release and results commands for a signed unit are checked against. */
export interface Authorization {
  caller: Caller;
  /** JWT of a signed command, "" for none. */
  signature: string;
}

/** What a control command is to the server: two ways to write it, and one way to run it. */
import type { LineReader } from "../base/line_reader.ts";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Mesh } from "../netceptor/mesh.ts";
import type { LoadClientTls } from "../quic/tls.ts";
import type { Caller, WorkService } from "./work_service.ts";

/** The members of a JSON command; names and values are the client's. */
export type Fields = Readonly<Record<string, unknown>>;

/** Both parsers throw a `ControlError` for what they cannot read. */
export interface CommandType {
  /** From the text after the command word and its blank, "" for none. */
  fromWords(words: string): CommandRun;
  fromFields(fields: Fields): CommandRun;
}

/**
 * Resolves to the reply, or to `undefined` when the connection has served as a stream and the
 * session is over.
 */
export type CommandRun = (context: CommandContext) => Promise<Fields | undefined>;

/** Facts of this machine and program that `status` shows. */
export interface SystemInfo {
  readonly version: string;
  readonly cpuCount: number;
  readonly memoryMiB: number;
}

/** A certificate of this node that is close to expiry, as `status` shows it. */
export interface ExpiringCertificate {
  /** `tls-server` or `tls-client`, and the name of that configuration. */
  readonly Kind: string;
  readonly Name: string;
  /** File name. */
  readonly Cert: string;
  readonly Subject: string;
  /** RFC 3339. */
  readonly NotAfter: string;
}

/** What the commands work with; the daemon assembles it once. */
export interface ControlDeps {
  readonly mesh: Pick<
    Mesh,
    "nodeId" | "status" | "advertisements" | "connectionCosts" | "ping" | "traceroute" | "dial"
  >;
  readonly system: SystemInfo;
  /** Without it `work` is an unknown command. */
  readonly work?: WorkService | undefined;
  /** Reads the configuration again; throws a `ReloadError`. Absent if there is no file. */
  readonly reload?: (() => Promise<void>) | undefined;
  /** A `tls-client` config by its name, `undefined` if there is none. */
  readonly clientTls?: ((name: string) => LoadClientTls | undefined) | undefined;
  readonly expiringCertificates?: (() => readonly ExpiringCertificate[]) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface CommandContext {
  readonly deps: ControlDeps;
  /** The client, past the command's newline. */
  readonly conn: LineReader;
  /** Resolves when the connection has ended in both directions; only a mesh stream can tell. */
  readonly closed: Promise<unknown> | undefined;
  readonly caller: Caller;
  readonly signal: AbortSignal;
  /**
   * Runs what takes much time or memory. Clients from the network do that one after the other;
   * local ones need not wait.
   */
  readonly longTask: <T>(task: () => Promise<T>) => Promise<T>;
}

/** A failure after which nothing the client still sends can be read as commands. */
export class SessionOverError extends Error {
  override readonly name = "SessionOverError";
}

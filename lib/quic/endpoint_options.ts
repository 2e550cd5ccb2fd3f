/** The options of a QUIC endpoint, and how they are passed to the core. */
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { NeighbourOf } from "./admission.ts";
import { writeBlobs } from "./blobs.ts";
import type { Connection } from "./connection.ts";
import type { Identity, ServerTls } from "./tls.ts";

export interface EndpointOptions {
  clock: Clock;
  random: Random;
  /**
   * Sends one datagram to `remote`. The view is valid only during the call: it may point into
   * WebAssembly memory. `local` is what the connection's dial gave, "" if it was accepted.
   */
  send(remote: string, datagram: Uint8Array, local: string): void;
  /**
   * Whether the link towards `remote` has room now. If not, sending to it pauses until `resume()`.
   */
  writable?(remote: string, local: string): boolean;
  /** The connection that was dialled from `local` is forgotten: nothing more is sent from there. */
  onDialOver?(local: string): void;
  /** If present, connections are accepted. Its `identity` is read again for each handshake. */
  server?: ServerTls | undefined;
  /** The server's identity changed to an unusable one: the earlier one stays in use. */
  onIdentityRefused?(error: TypeError): void;
  /** Receives each accepted connection when its handshake is complete. */
  onConnection?(connection: Connection): void;
  /** Whose share nodes count in when places are scarce; by default each has its own. */
  neighbourOf?: NeighbourOf | undefined;
  /** A connection was closed for lack of room; `reason` is what the peer is told. */
  onRefused?(remote: string, reason: string): void;
  /**
   * For the log: one of these functions threw, which ended at most the connection concerned, or the
   * core broke down, which ended all connections. The endpoint goes on.
   */
  onError(error: Error): void;
  /** The largest datagram to send or accept, in bytes. */
  maxDatagramBytes?: number | undefined;
  limits?: Partial<EndpointLimits> | undefined;
  /** The core's code, if it has been loaded already. */
  core?: WebAssembly.Module | undefined;
}

export interface EndpointLimits {
  /** A connection ends when nothing is heard from the peer for this long. */
  idleTimeoutMs: number;
  /** The dialler pings after this much silence; 0 for never. */
  keepAliveMs: number;
  handshakeTimeoutMs: number;
  /** How long a closed stream waits for the peer to read the rest. */
  lingerMs: number;
  /**
   * At most this many received bytes wait for a reader, per stream. A connection's window starts
   * small and grows with what goes through it, and with the number of its streams
   * (`core/src/window.rs`), so that readers that stall do not stop the other streams.
   */
  receiveWindowBytes: number;
  /** At most this many written bytes wait for the peer's acknowledgement, per connection. */
  sendWindowBytes: number;
  /**
   * Streams that a peer may have open on one connection, if it is one of ours; 0 to speak only the
   * original's protocol, with one.
   */
  maxStreams: number;
  /** Accepted handshakes that are not complete. */
  maxHalfOpen: number;
  /** From this many on, a new client must first prove its address (QUIC's Retry). */
  maxUnproven: number;
  /**
   * Accepted connections at a time together with their streams where they may have many, at most half
   * of them from one node (`admission.ts`).
   */
  maxConnections: number;
}

/** A mesh message has at most 16,384 bytes, of which its header takes 36. */
export const MAX_DATAGRAM_BYTES = 16_384 - 36;

/** Times as in `pkg/netceptor/conn.go`. */
export const DEFAULT_LIMITS: Readonly<EndpointLimits> = {
  idleTimeoutMs: 30_000,
  keepAliveMs: 15_000,
  handshakeTimeoutMs: 15_000,
  lingerMs: 30_000,
  receiveWindowBytes: 4 * 2 ** 20,
  sendWindowBytes: 8 * 2 ** 20,
  // A few more than a dialler uses, as some are given back late.
  maxStreams: 40,
  maxHalfOpen: 256,
  maxUnproven: 64,
  // For one node half of it: 1,024 streams, and 32 connections that carry 32 each.
  maxConnections: 2112,
};

/** A server's kind, as the core knows it (`core/src/options.rs`). */
const ServerKind = { none: 0, open: 1, wantsClientCertificate: 2 } as const;

/** Size of the key of stateless resets (`core/src/endpoint.rs`). */
export const RESET_KEY_BYTES = 32;

/** The argument of the core's `endpoint_new`: options as 32-bit words, the reset key, the identity. */
export function optionsArgument(
  limits: EndpointLimits,
  options: {
    readonly maxDatagramBytes: number | undefined;
    readonly server: number;
    readonly resetKey: Uint8Array;
    readonly identity: Identity | undefined;
  },
): Uint8Array {
  const words = [
    options.maxDatagramBytes ?? MAX_DATAGRAM_BYTES,
    limits.idleTimeoutMs,
    limits.keepAliveMs,
    limits.receiveWindowBytes,
    limits.sendWindowBytes,
    options.server,
    limits.maxStreams,
  ];
  const identity = identityArgument(options.identity);
  const { resetKey } = options;
  const argument = new Uint8Array(4 * words.length + resetKey.length + identity.length);
  const view = new DataView(argument.buffer);
  words.forEach((word, index) => view.setUint32(4 * index, word, true));
  argument.set(resetKey, 4 * words.length);
  argument.set(identity, 4 * words.length + resetKey.length);
  return argument;
}

/** Our certificates and key for the core; empty if there are none. */
export function identityArgument(identity: Identity | undefined): Uint8Array {
  return identity ? writeBlobs([...identity.chain, identity.privateKey]) : new Uint8Array();
}

/** What the core is told about a server in addition to its identity. */
export function serverKind(server: ServerTls | undefined): number {
  if (!server) return ServerKind.none;
  return server.verifyClient ? ServerKind.wantsClientCertificate : ServerKind.open;
}

/** Reaching the control service of another node. */
import type { ByteConn } from "../../base/byte_conn.ts";
import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import { ControlClient } from "../../control/client.ts";
import type { Mesh, MeshConn } from "../../netceptor/mesh.ts";
import { QuicError } from "../../quic/quic_error.ts";
import { CertificateRefused, type LoadClientTls } from "../../quic/tls.ts";
import type { RemoteExtraData } from "./remote_extra_data.ts";
import { refusals } from "../work_texts.ts";

/** What work on other nodes needs from this one. */
export interface RemoteAccess {
  readonly mesh: Pick<Mesh, "dial" | "hasRoute" | "onRoutesChanged">;
  readonly clock: Clock;
  readonly random: Random;
  /** A `tls-client` config by its name, `undefined` if there is none. */
  tlsClient(name: string): LoadClientTls | undefined;
  /**
   * Makes the signature (JWT) for `command`, as `signed_command.ts` writes it, to `node`. Absent if
   * no signing key is configured.
   */
  readonly signWork?: ((node: string, command: string) => Promise<string>) | undefined;
}

/**
 * The node whose control service is meant, and the `tls-client` config to reach it with ("" for
 * none).
 */
export type RemoteTarget = Pick<RemoteExtraData, "RemoteNode" | "TLSClient">;

/** The node may exist or not: nothing was heard from it in time. */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
}

const CONTROL_SERVICE = "control";

/** For handshake and greeting; the Go daemon waits 15 s for the one and 5 s for the other. */
const CONNECT_TIMEOUT_MS = 20_000;

/** Longest reply of another node about one unit: its parameters are part of its status. */
const MAX_REPLY_BYTES = 4 * 1024 * 1024;

/** TLS alert 80, internal_error: the sender had a problem of its own. */
const ALERT_INTERNAL_ERROR = 80;

/**
 * Dials the control service of `target`. The caller closes the client. Throws a `NoAnswerError` if
 * the node is silent.
 */
export async function connectToRemote(
  access: RemoteAccess,
  { RemoteNode, TLSClient }: RemoteTarget,
  signal: AbortSignal,
): Promise<ControlClient> {
  const loadTls = TLSClient === "" ? undefined : access.tlsClient(TLSClient);
  if (TLSClient !== "" && loadTls === undefined) throw new Error(refusals.unknownTls(TLSClient));
  const tls = await loadTls?.();
  const timeout = new AbortController();
  using _timer = access.clock.after(
    CONNECT_TIMEOUT_MS,
    () => timeout.abort(new NoAnswerError(`no answer within ${CONNECT_TIMEOUT_MS / 1000} s`)),
  );
  const either = AbortSignal.any([signal, timeout.signal]);
  try {
    const conn = await access.mesh.dial(RemoteNode, CONTROL_SERVICE, { tls, signal: either });
    const client = await ControlClient.connect(unlessEndedAbort(conn), {
      maxReplyBytes: MAX_REPLY_BYTES,
      signal: either,
    });
    if (client.node === RemoteNode) return client;
    client.close();
    throw new Error(`expected the control service of ${RemoteNode}, got that of ${client.node}`);
  } catch (error) {
    if (!(error instanceof QuicError) || error.ending !== "timed-out") throw error;
    throw new NoAnswerError(error.message, { cause: error });
  }
}

/**
 * The same stream, but closing it before we have ended our side aborts it: a payload that was cut
 * short must not look complete.
 */
function unlessEndedAbort(conn: MeshConn): ByteConn {
  let ended = false;
  return {
    read: (into) => conn.read(into),
    write: (bytes) => conn.write(bytes),
    closeWrite: () => {
      ended = true;
      return conn.closeWrite();
    },
    close: () => ended ? conn.close() : conn.abort(),
  };
}

/**
 * Whether dialling failed because certificates do not match: before a unit has started, that is
 * taken for a mistake in the configuration, which waiting does not fix. A problem inside either
 * node, such as a bug in a check, is not one.
 */
export function isTlsFailure(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof CertificateRefused) return true;
    if (cause instanceof QuicError && cause.alert !== undefined) {
      return cause.alert !== ALERT_INTERNAL_ERROR;
    }
  }
  return false;
}

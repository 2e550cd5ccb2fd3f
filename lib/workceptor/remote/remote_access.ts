/** Reaching the control service of another node. */
import type { ByteConn } from "../../base/byte_conn.ts";
import type { Clock } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import { ControlClient } from "../../control/client.ts";
import type { Mesh, MeshConn } from "../../netceptor/mesh.ts";
import { QuicError } from "../../quic/quic_error.ts";
import { CertificateRefused, type ClientTls } from "../../quic/tls.ts";
import type { RemoteExtraData } from "./remote_extra_data.ts";
import { refusals } from "../work_texts.ts";

/** What work on other nodes needs of this one. */
export interface RemoteAccess {
  readonly mesh: Pick<Mesh, "dial" | "hasRoute" | "onRoutesChanged">;
  readonly clock: Clock;
  readonly random: Random;
  /** A `tls-client` config by its name. */
  tlsClient(name: string): ClientTls | undefined;
  /** Makes the signature (JWT) for a command to `node`. Absent: no signing key is configured. */
  readonly signWork?: ((node: string) => Promise<string>) | undefined;
}

const CONTROL_SERVICE = "control";

/** Handshake and greeting; the original waits 15 s for the one and 5 s for the other. */
const CONNECT_TIMEOUT_MS = 20_000;

/** Dials the control service of the unit's node. The caller closes the client. */
export async function connectToRemote(
  access: RemoteAccess,
  extra: Pick<RemoteExtraData, "RemoteNode" | "TLSClient">,
  signal: AbortSignal,
): Promise<ControlClient> {
  const { RemoteNode, TLSClient } = extra;
  const tls = TLSClient === "" ? undefined : access.tlsClient(TLSClient);
  if (TLSClient !== "" && tls === undefined) throw new Error(refusals.unknownTls(TLSClient));
  const timeout = new AbortController();
  using _timer = access.clock.after(
    CONNECT_TIMEOUT_MS,
    () => timeout.abort(new Error(`no answer within ${CONNECT_TIMEOUT_MS / 1000} s`)),
  );
  const either = AbortSignal.any([signal, timeout.signal]);
  const conn = await access.mesh.dial(RemoteNode, CONTROL_SERVICE, { tls, signal: either });
  const client = await ControlClient.connect(unlessEndedAbort(conn), { signal: either });
  if (client.node === RemoteNode) return client;
  client.close();
  throw new Error(`expected the control service of ${RemoteNode}, got that of ${client.node}`);
}

/**
 * The same stream, but closing it before our end of it was sent breaks it off: a payload that was
 * cut must not look complete.
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
 * Whether dialling failed because certificates do not fit: before a unit has started that is taken
 * for a mistake in the configuration, which waiting does not mend.
 */
export function isTlsFailure(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof CertificateRefused) return true;
    if (cause instanceof QuicError && cause.alert !== undefined) return true;
  }
  return false;
}

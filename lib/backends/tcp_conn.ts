/** TCP connections tuned for links. */
import { messageOf } from "../base/error_message.ts";
import { formatHostPort, type HostPort, unmapped } from "./host_port.ts";

/** Connects. Throws an `Error` that says where to and why it failed. */
export async function connectTcp(address: HostPort, signal: AbortSignal): Promise<Deno.TcpConn> {
  try {
    const conn = await Deno.connect({
      hostname: address.host,
      port: address.port,
      // Tries all addresses of a name, not just the first.
      autoSelectFamily: true,
      signal,
    });
    tuneForLinks(conn);
    return conn;
  } catch (cause) {
    const reason = signal.aborted ? signal.reason : cause;
    throw new Error(`cannot connect to TCP ${formatHostPort(address)}: ${messageOf(reason)}`, {
      cause: reason,
    });
  }
}

/** Sends without waiting for more bytes, and probes a silent peer. */
export function tuneForLinks(conn: Deno.TcpConn): void {
  try {
    conn.setNoDelay(true);
    conn.setKeepAlive(true);
  } catch {
    // The peer has already hung up: the first read will tell.
  }
}

export function hostPortOf({ hostname, port }: Deno.NetAddr): HostPort {
  return { host: unmapped(hostname), port };
}

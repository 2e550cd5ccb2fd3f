/** TCP connections as links want them. */
import { messageOf } from "../base/error_message.ts";
import { formatHostPort, type HostPort, unmapped } from "./host_port.ts";

/** Connects. Throws an `Error` that says where to and why not. */
export async function connectTcp(address: HostPort, signal: AbortSignal): Promise<Deno.TcpConn> {
  try {
    const conn = await Deno.connect({
      hostname: address.host,
      port: address.port,
      // Tries all addresses of a name, and not the first alone.
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

/** No wait for more bytes before sending, and probes of a silent peer. */
export function tuneForLinks(conn: Deno.TcpConn): void {
  try {
    conn.setNoDelay(true);
    conn.setKeepAlive(true);
  } catch {
    // The peer hung up already: the first read tells.
  }
}

export function hostPortOf({ hostname, port }: Deno.NetAddr): HostPort {
  return { host: unmapped(hostname), port };
}

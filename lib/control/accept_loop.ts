/** Serves every connection of a listener, over any transport. */
import type { ByteConn } from "../base/byte_conn.ts";
import { serveEach } from "../base/serve_each.ts";
import type { MeshConn } from "../netceptor/mesh.ts";
import type { ControlServer } from "./server.ts";
import type { Caller } from "./work_service.ts";

/**
 * Serves the connections of `listener` side by side until it ends, which is up to its owner.
 * Resolves after the last session is over; aborting `signal` ends the sessions. Rejects when the
 * listener fails.
 */
export function serveConnections<Conn extends ByteConn>(
  server: Pick<ControlServer, "serve">,
  listener: AsyncIterable<Conn>,
  callerOf: (conn: Conn) => Caller,
  signal: AbortSignal,
): Promise<void> {
  return serveEach(listener, (conn) => server.serve(conn, callerOf(conn), signal));
}

/** A client on the local socket: trusted, since the socket's permissions let it in. */
export function unixCaller(): Caller {
  return { via: "unix", secure: false, description: "unix" };
}

/** A client from the mesh; `certified` if its certificate had to name the node it comes from. */
export function meshCaller(conn: MeshConn, { certified = false } = {}): Caller {
  return {
    via: "mesh",
    certifiedNodes: certified ? [conn.remoteNode] : undefined,
    secure: conn.secure,
    description: `${conn.remoteNode}:${conn.remoteService}`,
    peer: conn.remoteNode,
    neighbour: conn.neighbour,
  };
}

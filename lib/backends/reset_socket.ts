/**
 * Sending a TCP reset, for which Deno 2.9 has no interface. SO_LINGER would be of no use: on close,
 * Deno ends the stream in order before the kernel gets to reset it.
 */

/** connect(2) to an address of no family (`AF_UNSPEC`) makes Linux send a reset at once. */
const CONNECT = {
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;
const NO_ADDRESS = new Uint8Array(16);

/** What stands behind the sockets of `node:net`; they have no other way to a file descriptor. */
interface TcpHandle {
  /** Shares the socket of a Deno resource; 0 if that worked. */
  openFromRid(rid: number): number;
  fdForIpc(): number;
  close(): void;
}

interface NodeProcess {
  binding(name: "tcp_wrap"): { readonly TCP: new (type: number) => TcpHandle };
}

/**
 * Resets a connection that has not been closed; its peer gets an error after what has arrived there
 * already. Does nothing where that is not possible: on systems other than Linux with the GNU C
 * library, or if Deno has changed inside.
 */
export function resetSocket(conn: Deno.TcpConn): void {
  if (Deno.build.os !== "linux") return;
  let handle: TcpHandle | undefined;
  try {
    // Loaded with the first reset, not with the node.
    const { process } = globalThis as unknown as { readonly process: NodeProcess };
    const { TCP } = process.binding("tcp_wrap");
    handle = new TCP(0);
    if (handle.openFromRid(resourceIdOf(conn)) !== 0) return;
    const libc = Deno.dlopen("libc.so.6", CONNECT);
    libc.symbols.connect(handle.fdForIpc(), NO_ADDRESS, NO_ADDRESS.length);
    libc.close();
  } catch {
    // The caller closes it as usual.
  } finally {
    handle?.close();
  }
}

function resourceIdOf(conn: object): number {
  const key = Object.getOwnPropertySymbols(conn)
    .find(({ description }) => description === "Deno.internal.rid");
  return Number(key && Reflect.get(conn, key));
}

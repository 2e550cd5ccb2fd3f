/** Ports for daemons that cannot report which one they got. */

/**
 * A loopback TCP port that the kernel says is free. Linux gives listeners and outgoing connections
 * ports of different parity, so nothing takes it by chance before its user does.
 */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Ports for daemons that cannot report which one they got. */

/** Fewer ports than this below those that the system gives out would not be enough. */
const FEWEST = 2_000;
const FIRST = 10_000;

/** The first port that Linux gives to those who do not say which they want. */
function firstEphemeral(): number {
  try {
    return Number(Deno.readTextFileSync("/proc/sys/net/ipv4/ip_local_port_range").split(/\s/)[0]);
  } catch {
    return 0;
  }
}

const end = firstEphemeral();
const given = new Set<number>();

/**
 * A loopback TCP port that is free, each time another one. Nobody who asks the system for any port
 * gets it before its user does, nor while a daemon on it is restarted.
 */
export function freePort(): number {
  if (end - FIRST < FEWEST) return listenOn(0)!;
  while (true) {
    const port = FIRST + Math.floor(Math.random() * (end - FIRST));
    if (given.has(port) || listenOn(port) === undefined) continue;
    given.add(port);
    return port;
  }
}

/** The port that a listener gets, any if `port` is 0; `undefined` if another has it. */
function listenOn(port: number): number | undefined {
  try {
    using listener = Deno.listen({ hostname: "127.0.0.1", port });
    return listener.addr.port;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return undefined;
    throw error;
  }
}

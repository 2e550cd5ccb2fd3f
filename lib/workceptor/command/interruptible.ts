/**
 * A daemon that a script started behind `&` ignores SIGINT, and so would every job it starts, for
 * good: ignored signals stay ignored in programs started later. One that is caught does not.
 */

const SIGINT_BIT = 1n << 1n;

/**
 * Makes sure that jobs started from here can be interrupted. Dispose it at the end; SIGINT does to
 * this process itself what it did before.
 */
export async function interruptible(): Promise<Disposable> {
  const nothing = () => {};
  if (!await ignoresInterrupt()) return { [Symbol.dispose]: nothing };
  Deno.addSignalListener("SIGINT", nothing);
  return { [Symbol.dispose]: () => Deno.removeSignalListener("SIGINT", nothing) };
}

async function ignoresInterrupt(): Promise<boolean> {
  try {
    const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(await Deno.readTextFile("/proc/self/status"));
    return (BigInt(`0x${ignored?.[1] ?? "0"}`) & SIGINT_BIT) !== 0n;
  } catch {
    return false;
  }
}

/**
 * A daemon that a script started with `&` ignores SIGINT, and so would every job it starts, for
 * good: an ignored signal stays ignored in child programs, but one that is caught does not.
 */

const SIGINT_BIT = 1n << 1n;

/**
 * Makes sure that jobs started from here can be interrupted. SIGINT still does to this process what
 * it did before. Dispose of it at the end.
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

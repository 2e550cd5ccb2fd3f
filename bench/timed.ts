/** How long something takes. */

/** Resolves to what `work` resolved to, and the milliseconds until then. */
export async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const start = performance.now();
  const value = await work();
  return { value, ms: performance.now() - start };
}

/** Doing something many times, several at once. */

/**
 * Calls `work` with 0 to `count - 1`, at most `width` calls at a time. After a
 * failure no more calls are made, and the pool rejects once those under way have ended.
 */
export async function pool<T>(
  count: number,
  width: number,
  work: (index: number) => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  let failed = false;
  const worker = async () => {
    while (next < count && !failed) {
      const index = next++;
      try {
        results[index] = await work(index);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(width, count) }, worker));
  for (const end of ended) if (end.status === "rejected") throw end.reason;
  return results;
}

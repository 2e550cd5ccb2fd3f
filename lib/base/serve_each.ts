/** Serving what a listener yields, side by side. */

/**
 * Calls `serve`, which never rejects, for each item of `listener` until that ends, which is up to
 * its owner. Resolves after the last call is over. Rejects when the listener fails.
 */
export async function serveEach<Item>(
  listener: AsyncIterable<Item>,
  serve: (item: Item) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  try {
    for await (const item of listener) {
      const serving = serve(item).finally(() => running.delete(serving));
      running.add(serving);
    }
  } finally {
    await Promise.all(running);
  }
}

/** The stream of a watch: one JSON object per line. */
import type { Clock } from "../../../base/clock.ts";
import { LineReader, TruncatedLineError } from "../../../base/line_reader.ts";
import type { Exchange } from "./http_client.ts";
import type { Pod, PodChange } from "./kube_api.ts";
import { asKubeError, KubeError } from "./kube_error.ts";
import { errorOfStatus, type KubeStatus } from "./kube_status.ts";

/** An object has at most 1.5 MB in the server's store; as JSON it can be several times that. */
const MAX_LINE_BYTES = 8 * 1024 * 1024;
/** A server that is alive sends a bookmark about every minute. */
export const MAX_SILENCE_MS = 150_000;

/**
 * The changes in the answer to a watch, until the server ends it or is silent for too long. Throws
 * as `KubeApi.watchPods` says.
 */
export async function* changesIn(
  exchange: Exchange,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<PodChange> {
  const reader = new LineReader({
    read: (into) => exchange.read(into),
    write: () => Promise.reject(new TypeError("a watch takes no input")),
    closeWrite: () => Promise.resolve(),
    close: () => exchange.release(),
  });
  try {
    for (;;) {
      const line = await nextLine(reader, clock);
      signal.throwIfAborted();
      if (line === null) return;
      const change = parseChange(line);
      if (change !== undefined) yield change;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw asKubeError(error);
  } finally {
    reader.close();
  }
}

/** Null at the end, if the last line is cut, and after a long silence. */
async function nextLine(reader: LineReader, clock: Clock): Promise<string | null> {
  let silent = false;
  using _timer = clock.after(MAX_SILENCE_MS, () => {
    silent = true;
    reader.close();
  });
  try {
    return await reader.readLine({ maxBytes: MAX_LINE_BYTES });
  } catch (error) {
    if (silent || error instanceof TruncatedLineError) return null;
    throw error;
  }
}

/** Undefined for a blank line. Throws the error that the server tells in the stream. */
function parseChange(line: string): PodChange | undefined {
  if (line.trim() === "") return undefined;
  const { type, object } = parseObject(line);
  switch (type) {
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
      return { type, object: object as Pod };
    case "BOOKMARK": {
      const version = (object as Pod | undefined)?.metadata?.resourceVersion;
      return version === undefined ? undefined : { type, resourceVersion: version };
    }
    case "ERROR":
      throw errorOfStatus((object ?? {}) as KubeStatus);
    default:
      throw new KubeError("the server sent something else than changes in a watch");
  }
}

function parseObject(line: string): { readonly type?: unknown; readonly object?: unknown } {
  try {
    const parsed = JSON.parse(line);
    const hasObject = typeof parsed?.object === "object" && parsed.object !== null;
    return hasObject ? parsed : {};
  } catch {
    return {};
  }
}

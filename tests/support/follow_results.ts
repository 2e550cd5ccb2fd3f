/** A client that does not give up: follows a unit's output over every end of its connection. */
import { createHash } from "node:crypto";
import type { StreamDigest } from "./control_session.ts";
import { eventually, PATIENCE_MS } from "./eventually.ts";
import type { TestNode } from "./test_node.ts";

const COMPLETE = ["Succeeded", "Failed", "Canceled"];

export interface FollowedResults {
  /** Bytes received so far, over all connections. */
  readonly size: number;
  /** Connections that carried the stream. */
  readonly connections: number;
  /** Resolves when the unit is complete and all of its output was received. */
  readonly done: Promise<StreamDigest>;
}

/** Follows `unit` on `node` from its first byte on; a new connection begins where the last ended. */
export function followResults(node: TestNode, unit: string): FollowedResults {
  const hash = createHash("sha256");
  let size = 0;
  let connections = 0;

  async function follow(): Promise<StreamDigest> {
    while (true) {
      await using results = await eventually(() => node.results(unit, size), {
        what: `results of ${unit} from ${size} on`,
        timeoutMs: 2 * PATIENCE_MS,
      });
      connections++;
      try {
        for (let chunk; (chunk = await results.readSome()) !== null;) {
          hash.update(chunk);
          size += chunk.length;
        }
        // A killed daemon ends the stream as one that has finished does.
        const { StateName, StdoutSize } = await node.unitStatus(unit);
        if (COMPLETE.includes(StateName) && size >= StdoutSize) {
          return { size, sha256: hash.digest("hex") };
        }
      } catch {
        // The daemon is down.
      }
    }
  }

  const done = follow();
  // A test that fails before it awaits this has already said why.
  done.catch(() => {});
  return {
    get size() {
      return size;
    },
    get connections() {
      return connections;
    },
    done,
  };
}

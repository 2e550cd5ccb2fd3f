/** A daemon's start: the time to its socket and to its first job, and its memory when idle. */
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../../tests/support/eventually.ts";
import { ECHO, submitAndRead } from "../jobs.ts";
import { emptyDeno } from "../limits/empty_deno.ts";
import { NodeClient } from "../node_client.ts";
import { startNode } from "../nodes.ts";
import { residentMegabytes } from "../process_usage.ts";
import { afresh, type Row, type Scale } from "../row.ts";

/** How long the first job may take. */
const FIRST_JOB_MS = 30_000;

export function start(scale: Scale): Row {
  const settleMs = scale.pick(2000, 500);
  return {
    name: "start",
    title: "a daemon's start, without links",
    figures: [
      { key: "socket", label: "from its start to its socket", unit: "ms", better: "lower" },
      {
        key: "job",
        label: "from its start to its first job's output",
        unit: "ms",
        better: "lower",
      },
      { key: "idle", label: "memory when idle (RSS)", unit: "MB", better: "lower" },
    ],
    runs: 7,
    timeoutMs: 60_000,
    limits: [emptyDeno(settleMs)],
    setUp: (kind) =>
      afresh(async (signal) => {
        let idle: number;
        {
          await using node = await startNode(kind, [ECHO]);
          await delay(settleMs, undefined, { signal });
          idle = residentMegabytes(node.pid);
        }
        const begin = performance.now();
        // At this level a node is ready as soon as its socket greets.
        await using node = await startNode(kind, [ECHO], "warning");
        const client = new NodeClient(node, signal);
        // The Go daemon greets before it knows its work types.
        await eventually(() => submitAndRead(client, { node: "solo", workType: "echo" }), {
          what: "the first job",
          timeoutMs: FIRST_JOB_MS,
          intervalMs: 2,
        });
        return { socket: node.readyMs, job: performance.now() - begin, idle };
      }),
  };
}

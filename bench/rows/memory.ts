/** Memory of both daemons after many jobs, at once and after a quiet while. */
import { setTimeout as delay } from "node:timers/promises";
import { ECHO, wholeJob } from "../jobs.ts";
import { NodeClient } from "../node_client.ts";
import { startChain } from "../nodes.ts";
import { pool } from "../pool.ts";
import { proportionalMegabytes } from "../process_usage.ts";
import { afresh, type Figure, type Row, type Scale } from "../row.ts";

const AT_A_TIME = 32;

export function memory(scale: Scale): Row {
  const jobs = scale.pick(300, 32);
  const quietSeconds = scale.pick(30, 2);
  return {
    name: "memory",
    title: `memory (PSS) after ${jobs} remote jobs`,
    figures: [
      megabytes("nearBefore", "node that asks: before"),
      megabytes("nearAfter", "node that asks: after its jobs"),
      megabytes("nearQuiet", `node that asks: ${quietSeconds} s later`),
      megabytes("farBefore", "node with the jobs: before"),
      megabytes("farAfter", "node with the jobs: after them"),
      megabytes("farQuiet", `node with the jobs: ${quietSeconds} s later`),
    ],
    runs: 3,
    timeoutMs: 240_000,
    setUp: (kind) =>
      afresh(async (signal) => {
        await using chain = await startChain(kind, { atFar: [ECHO] });
        const read = () => ({
          near: proportionalMegabytes(chain.near.pid),
          far: proportionalMegabytes(chain.far.pid),
        });
        const before = read();
        const client = new NodeClient(chain.near, signal);
        await pool(jobs, AT_A_TIME, () => wholeJob(client, { node: "far", workType: "echo" }));
        const after = read();
        await delay(quietSeconds * 1000, undefined, { signal });
        const quiet = read();
        return {
          nearBefore: before.near,
          nearAfter: after.near,
          nearQuiet: quiet.near,
          farBefore: before.far,
          farAfter: after.far,
          farQuiet: quiet.far,
        };
      }),
  };
}

function megabytes(key: string, label: string): Figure {
  return { key, label, unit: "MB", better: "lower" };
}

/** Very many remote jobs over mutual TLS, submitted by many clients, and pings meanwhile. */
import { setTimeout as delay } from "node:timers/promises";
import { ECHO, wholeJob } from "../jobs.ts";
import { NodeClient } from "../node_client.ts";
import { startChain, TLS_CLIENT } from "../nodes.ts";
import { pingDuring } from "../pings.ts";
import { pool } from "../pool.ts";
import { CpuMeter } from "../process_usage.ts";
import { afresh, type Row, type Scale } from "../row.ts";
import { longest, median } from "../statistics.ts";
import { timed } from "../timed.ts";

const AT_A_TIME = 100;
const LOOK_AGAIN_MS = 500;
const FIELDS = { node: "far", workType: "echo", tlsClient: TLS_CLIENT };

export function tlsSubmits(scale: Scale): Row {
  const submits = scale.pick(1000, 50);
  return {
    name: "tls-submits",
    title: `${submits.toLocaleString("en")} remote submits, ${AT_A_TIME} at a time, mutual TLS`,
    figures: [
      { key: "answered", label: "to the last submit's answer", unit: "s", better: "lower" },
      { key: "done", label: "to the last job's end", unit: "s", better: "lower" },
      { key: "cpu", label: "CPU per job, with processes", unit: "ms", better: "lower" },
      { key: "ping", label: "`ping` meanwhile, median", unit: "ms", better: "lower" },
      { key: "slowPing", label: "`ping` meanwhile, longest", unit: "ms", better: "lower" },
      { key: "lost", label: "`ping` meanwhile, without an answer", unit: "", better: "lower" },
    ],
    runs: 2,
    timeoutMs: 300_000,
    setUp: (kind) =>
      afresh(async (signal) => {
        await using chain = await startChain(kind, { atFar: [ECHO], tls: true });
        const client = new NodeClient(chain.near, signal);
        await wholeJob(client, FIELDS);
        const cpu = new CpuMeter(chain.near, chain.far);
        const work = timed(async () => {
          const { ms } = await timed(() => pool(submits, AT_A_TIME, () => client.submit(FIELDS)));
          await allSucceeded(client, submits, signal);
          return ms;
        });
        const { value: answeredMs, ms, times, lost } = await pingDuring(client, work);
        return {
          answered: answeredMs / 1000,
          done: ms / 1000,
          cpu: cpu.used.withChildren * 1000 / submits,
          ping: median(times),
          slowPing: longest(times),
          lost,
        };
      }),
  };
}

/** Checks only now and then, since each check costs the node something. */
async function allSucceeded(
  client: NodeClient,
  count: number,
  signal: AbortSignal,
): Promise<void> {
  while (true) {
    const units = Object.values(await client.command("work list")) as { StateName: string }[];
    const failed = units.find(({ StateName }) => StateName === "Failed");
    if (failed !== undefined) throw new Error(`A job failed: ${JSON.stringify(failed)}`);
    if (units.filter(({ StateName }) => StateName === "Succeeded").length === count) return;
    await delay(LOOK_AGAIN_MS, undefined, { signal });
  }
}

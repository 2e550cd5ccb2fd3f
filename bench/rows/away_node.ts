/** Cancels and releases of units whose node is away, and what becomes of them once it is back. */
import { setTimeout as delay } from "node:timers/promises";
import { ENDLESS } from "../jobs.ts";
import { startWithLeftovers } from "../leftovers.ts";
import { NodeClient } from "../node_client.ts";
import { pool } from "../pool.ts";
import { afresh, type Row, type Scale } from "../row.ts";
import { timed } from "../timed.ts";

const AT_A_TIME = 32;
const LOOK_AGAIN_MS = 50;

export function awayNode(scale: Scale): Row {
  const count = scale.pick(500, 40);
  return {
    name: "away-node",
    title: "units whose node is away",
    figures: [
      { key: "cancel", label: "cancel of a running unit", unit: "ms", better: "lower" },
      { key: "release", label: "release of a running unit", unit: "ms", better: "lower" },
      { key: "releases", label: `release of ${count} units`, unit: "s", better: "lower" },
      {
        key: "back",
        label: `node back: until these ${count} are gone`,
        unit: "s",
        better: "lower",
      },
    ],
    runs: 2,
    timeoutMs: 240_000,
    setUp: (kind) =>
      afresh(async (signal) => {
        const options = { work: [ENDLESS], farDials: true };
        await using leftovers = await startWithLeftovers(kind, count, options, signal);
        const { near, far, units } = leftovers;
        const client = new NodeClient(near, signal);
        const endless = () => client.submit({ node: "far", workType: "endless" });
        const [canceled, released] = [await endless(), await endless()];
        for (const unitId of [canceled, released]) await near.waitForUnit(unitId, ["Running"]);
        await far.killWithJobs();
        await near.waitForNoRoute("far");

        const cancel = await timed(() => client.command(`work cancel ${canceled}`));
        const release = await timed(() => client.release(released));
        const releases = await timed(() =>
          pool(units.length, AT_A_TIME, (index) => client.release(units[index]!))
        );
        await client.release(canceled);

        await far.restart();
        const back = await timed(async () => {
          while ((await near.unitFolders()).length > 0) {
            await delay(LOOK_AGAIN_MS, undefined, { signal });
          }
        });
        return {
          cancel: cancel.ms,
          release: release.ms,
          releases: releases.ms / 1000,
          back: back.ms / 1000,
        };
      }),
  };
}

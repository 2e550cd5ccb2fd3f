/** Pings of the far node over one control connection of the near one. */
import { setTimeout as delay } from "node:timers/promises";
import type { ControlClient } from "../lib/control/client.ts";
import type { NodeClient } from "./node_client.ts";
import { timed } from "./timed.ts";

/** Pause between pings beside other work, which they should watch and not compete with. */
const PAUSE_MS = 20;

/** Times of `count` pings, one after the other, in milliseconds. */
export async function pingTimes(
  client: NodeClient,
  count: number,
  pauseMs = 0,
): Promise<number[]> {
  using connection = await client.connect();
  const times: number[] = [];
  while (times.length < count) {
    const { ms, answered } = await ping(connection);
    if (!answered) throw new Error("A ping had no answer");
    times.push(ms);
    if (pauseMs > 0) await delay(pauseMs);
  }
  return times;
}

/** Pings during other work. */
export interface Pinged {
  /** Times of the answered ones, in milliseconds. */
  readonly times: readonly number[];
  readonly lost: number;
}

/** Pings from time to time until `work` is done, at least once. Adds `Pinged` to its result. */
export async function pingDuring<T extends object>(
  client: NodeClient,
  work: Promise<T>,
): Promise<T & Pinged> {
  let through = false;
  const end = work.finally(() => through = true);
  // It is awaited below, after the pings.
  end.catch(() => {});
  using connection = await client.connect();
  const times: number[] = [];
  let lost = 0;
  do {
    const { ms, answered } = await ping(connection);
    if (answered) times.push(ms);
    else lost++;
    await Promise.race([delay(PAUSE_MS), end.catch(() => {})]);
  } while (!through);
  return { ...await end, times, lost };
}

async function ping(connection: ControlClient): Promise<{ ms: number; answered: boolean }> {
  const { value, ms } = await timed(() => connection.command("ping far"));
  return { ms, answered: value.Success === true };
}

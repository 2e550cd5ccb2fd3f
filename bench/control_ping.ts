/** Pings of the neighbour, one after the other over one control connection. */
import { type Bench, startPair } from "./_measure.ts";

const PINGS_A_ROUND = 100;

export const controlPing: Bench = {
  name: "control ping of the neighbour",
  unit: "ms",
  better: "lower",
  measure(subject, { rounds }) {
    if (subject === "empty") return undefined;
    return run(subject, rounds * PINGS_A_ROUND);
  },
};

async function run(kind: "go" | "ours", pings: number): Promise<number[]> {
  await using pair = await startPair(kind);
  await using session = await pair.near.session();
  const once = async () => {
    const start = performance.now();
    const reply = await session.json("ping far");
    if (reply.Success !== true) throw new Error(`The ping failed: ${JSON.stringify(reply)}`);
    return performance.now() - start;
  };
  for (let warmUp = 0; warmUp < PINGS_A_ROUND; warmUp++) await once();
  const values: number[] = [];
  while (values.length < pings) values.push(await once());
  return values;
}

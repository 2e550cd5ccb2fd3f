/**
 * A unit with much output on the neighbour: bytes per second of its results, here, over one hop.
 */
import { type Bench, startPair } from "./_measure.ts";

export const workResults: Bench = {
  name: "work results over one hop",
  unit: "MB/s",
  better: "higher",
  measure(subject, { resultBytes }) {
    if (subject === "empty") return undefined;
    return run(subject, resultBytes);
  },
};

/** One round after a small one: more would tell nothing new, and Go needs most of a minute. */
async function run(kind: "go" | "ours", size: number): Promise<number[]> {
  const produce = {
    "work-command": {
      worktype: "produce",
      command: "head",
      params: "/dev/zero",
      allowruntimeparams: true,
    },
  };
  await using pair = await startPair(kind, [produce]);
  const once = async (bytes: number) => {
    const start = performance.now();
    const unit = await pair.near.submit({
      node: "far",
      worktype: "produce",
      params: { params: `-c ${bytes}` },
    });
    await using results = await pair.near.results(unit);
    const count = await results.countAll();
    const seconds = (performance.now() - start) / 1000;
    if (count !== bytes) throw new Error(`The results have ${count} bytes, not ${bytes}`);
    await pair.near.json(`work release ${unit}`);
    return bytes / 1e6 / seconds;
  };
  await once(Math.min(size, 1_000_000));
  return [await once(size)];
}

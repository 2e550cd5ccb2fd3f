/** A small job on the neighbour: from its submission to the end of its output. */
import { type Bench, startPair } from "./_measure.ts";

const ECHO = { "work-command": { worktype: "echo", command: "echo", params: "hello" } };

export const submitResult: Bench = {
  name: "remote echo, submit to result",
  unit: "ms",
  better: "lower",
  measure(subject, { rounds }) {
    if (subject === "empty") return undefined;
    return run(subject, rounds);
  },
};

async function run(kind: "go" | "ours", rounds: number): Promise<number[]> {
  await using pair = await startPair(kind, [ECHO]);
  const once = async () => {
    const start = performance.now();
    const unit = await pair.near.submit({ node: "far", worktype: "echo" });
    const output = await pair.near.resultText(unit);
    const took = performance.now() - start;
    if (output !== "hello\n") throw new Error(`The echo came back as ${JSON.stringify(output)}`);
    await pair.near.json(`work release ${unit}`);
    return took;
  };
  await once();
  const values: number[] = [];
  while (values.length < rounds) values.push(await once());
  return values;
}

/** The least that a job can take: a shell that says something, its output read to the end. */
import { afresh, type Limit } from "../row.ts";
import { percentile } from "../statistics.ts";
import { timed } from "../timed.ts";

const SPAWNS = 20;

export const shSpawn: Limit = {
  name: "bare spawn of `sh -c`",
  setUp() {
    const command = new Deno.Command("sh", {
      args: ["-c", "echo hello"],
      stdin: "null",
      stderr: "null",
    });
    return afresh(async () => {
      const times: number[] = [];
      while (times.length < SPAWNS) {
        const { value, ms } = await timed(() => command.output());
        if (!value.success) throw new Error("sh failed");
        times.push(ms);
      }
      return { p50: percentile(times, 0.5) };
    });
  },
};

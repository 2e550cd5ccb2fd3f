import assert from "node:assert/strict";
import { Observers } from "../../lib/daemon/observers.ts";
import { RecordingLog } from "../sim/recording_log.ts";

const LINK = { neighbour: "bar", cost: 1, description: "tcp 192.0.2.1:1" };

Deno.test("every reader is told, whatever the others throw", () => {
  const log = new RecordingLog();
  const told: unknown[] = [];
  const observers = new Observers(log, [
    {
      linkUp() {
        throw new Error("a broken reader");
      },
    },
    { linkUp: (event) => told.push(event) },
    {},
  ]);
  observers.all.linkUp(LINK);
  assert.deepEqual(told, [LINK]);
  assert.deepEqual(log.lines, ["ERROR Error in an observer of the node: Error: a broken reader"]);
});

Deno.test("a reader is told from when it is added until it is disposed of", () => {
  const observers = new Observers(new RecordingLog());
  const told: string[] = [];
  const refusal = (remote: string) => ({ listener: "[::]:1", remote, reason: "no" });
  observers.all.connectionRefused(refusal("before"));
  {
    using _reader = observers.add({ connectionRefused: ({ remote }) => told.push(remote) });
    observers.all.connectionRefused(refusal("between"));
  }
  observers.all.connectionRefused(refusal("after"));
  assert.deepEqual(told, ["between"]);
});

import assert from "node:assert/strict";
import { LineWriter } from "../../lib/daemon/line_writer.ts";

/** An output that takes what `room` says, and throws the error of `failure` when full. */
class FakeOutput {
  text = "";
  room = Infinity;
  failure: Error | undefined;
  calls = 0;

  writeSync(bytes: Uint8Array): number {
    this.calls++;
    if (this.room === 0 && this.failure) throw this.failure;
    const taken = bytes.subarray(0, Math.min(bytes.length, this.room));
    this.room -= taken.length;
    this.text += new TextDecoder().decode(taken);
    return taken.length;
  }
}

Deno.test("a line is written completely however little each write takes", () => {
  const output = new FakeOutput();
  const chunked = {
    writeSync: (bytes: Uint8Array) => output.writeSync(bytes.subarray(0, 3)),
  };
  new LineWriter(chunked).write("one line\n");
  assert.equal(output.text, "one line\n");
});

Deno.test("a closed pipe is not tried again", () => {
  const output = new FakeOutput();
  output.room = 0;
  output.failure = new Deno.errors.BrokenPipe();
  const writer = new LineWriter(output);
  writer.write("a\n");
  writer.write("b\n");
  assert.equal(output.calls, 1);
});

Deno.test("an unfinished line is finished before the next one", () => {
  const output = new FakeOutput();
  output.failure = new Error("No space left on device");
  output.room = 3;
  const writer = new LineWriter(output);
  writer.write("first\n");
  writer.write("lost\n");
  output.room = Infinity;
  writer.write("third\n");
  assert.equal(output.text, "first\nthird\n");
});

Deno.test("finish() writes the end of a line that was begun", () => {
  const output = new FakeOutput();
  output.failure = new Error("No space left on device");
  output.room = 3;
  const writer = new LineWriter(output);
  writer.write("last words\n");
  assert.equal(writer.finish(), false);
  output.room = Infinity;
  assert.equal(writer.finish(), true);
  assert.equal(output.text, "last words\n");
});

Deno.test("a full pipe is waited for, but only once as long as it stays full", () => {
  const output = new FakeOutput();
  output.failure = new Deno.errors.WouldBlock();
  output.room = 0;
  let pauses = 0;
  const writer = new LineWriter(output, () => {
    if (++pauses === 3) output.room = 4;
  });
  writer.write("one\n");
  assert.deepEqual([output.text, pauses], ["one\n", 3]);

  writer.write("lost\n");
  const pausesUntilGivenUp = pauses;
  writer.write("lost\n");
  assert.equal(pauses, pausesUntilGivenUp);
  output.room = Infinity;
  writer.write("two\n");
  assert.equal(output.text, "one\ntwo\n");
});

Deno.test("a real pipe that closes does not end the process", async () => {
  const source = new URL("../../lib/daemon/line_writer.ts", import.meta.url).href;
  const code = `
    import { LineWriter } from ${JSON.stringify(source)};
    const writer = new LineWriter(Deno.stdout);
    for (let i = 0; i < 2000; i++) writer.write("x".repeat(999) + "\\n");
    console.error("alive");
  `;
  await using child = new Deno.Command(Deno.execPath(), {
    args: ["eval", code],
    stdout: "piped",
    stderr: "piped",
    stdin: "null",
  }).spawn();
  await child.stdout.cancel();
  const errors = await child.stderr.text();
  const { code: exitCode } = await child.status;
  assert.deepEqual([errors.trim(), exitCode], ["alive", 0]);
});

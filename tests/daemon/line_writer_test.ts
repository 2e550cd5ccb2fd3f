import assert from "node:assert/strict";
import { lineWriter } from "../../lib/daemon/line_writer.ts";

/** An output that takes what `room` says, and throws the error of `failure` when there is none. */
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

Deno.test("a line is written whole however little a write takes", () => {
  const output = new FakeOutput();
  const chunked = {
    writeSync: (bytes: Uint8Array) => output.writeSync(bytes.subarray(0, 3)),
  };
  lineWriter(chunked)("one line\n");
  assert.equal(output.text, "one line\n");
});

Deno.test("a closed pipe is not tried again", () => {
  const output = new FakeOutput();
  output.room = 0;
  output.failure = new Deno.errors.BrokenPipe();
  const write = lineWriter(output);
  write("a\n");
  write("b\n");
  assert.equal(output.calls, 1);
});

Deno.test("a line that was begun is finished before the next one", () => {
  const output = new FakeOutput();
  output.failure = new Error("No space left on device");
  output.room = 3;
  const write = lineWriter(output);
  write("first\n");
  write("lost\n");
  output.room = Infinity;
  write("third\n");
  assert.equal(output.text, "first\nthird\n");
});

Deno.test("a full pipe is waited for, but only once as long as it stays full", () => {
  const output = new FakeOutput();
  output.failure = new Deno.errors.WouldBlock();
  output.room = 0;
  let pauses = 0;
  const write = lineWriter(output, () => {
    if (++pauses === 3) output.room = 4;
  });
  write("one\n");
  assert.deepEqual([output.text, pauses], ["one\n", 3]);

  write("lost\n");
  const pausesUntilGivenUp = pauses;
  write("lost\n");
  assert.equal(pauses, pausesUntilGivenUp);
  output.room = Infinity;
  write("two\n");
  assert.equal(output.text, "one\ntwo\n");
});

Deno.test("a real pipe that closes does not end the process", async () => {
  const source = new URL("../../lib/daemon/line_writer.ts", import.meta.url).href;
  const code = `
    import { lineWriter } from ${JSON.stringify(source)};
    const write = lineWriter(Deno.stdout);
    for (let i = 0; i < 2000; i++) write("x".repeat(999) + "\\n");
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

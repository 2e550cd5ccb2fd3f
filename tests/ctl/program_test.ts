/** receptorctl as a separate process: what only a process can show. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { randomBytes, sha256 } from "../support/payload.ts";
import { testEnvironment } from "../support/program.ts";
import { FakeNode } from "./fake_node.ts";

const SOURCE = fileURLToPath(new URL("../../ctl.ts", import.meta.url));
const PAYLOAD_BYTES = 20 * 1024 * 1024;

function receptorctl(node: FakeNode, words: string, stdin: "piped" | "null" = "null") {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", SOURCE, ...words.split(" ")],
    env: { ...testEnvironment(), RECEPTORCTL_SOCKET: node.socket },
    clearEnv: true,
    stdin,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function text(stream: ReadableStream<Uint8Array>): Promise<string> {
  return await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).text();
}

Deno.test("program sends a large binary standard input and prints results byte for byte", async () => {
  await using node = await FakeNode.start();
  const payload = randomBytes(PAYLOAD_BYTES);
  await using child = receptorctl(node, "work submit cat -p - -f", "piped");
  const feeding = (async () => {
    const writer = child.stdin.getWriter();
    await writer.write(payload);
    await writer.close();
  })();
  const { code, stdout, stderr } = await child.output();
  await feeding;
  assert.equal(new TextDecoder().decode(stderr), "");
  assert.equal(code, 0);
  assert.equal(sha256(stdout as Uint8Array<ArrayBuffer>), sha256(payload));
});

Deno.test("program ends quietly when nobody reads its output any more", async () => {
  await using node = await FakeNode.start();
  node.work.output = async function* (signal) {
    const chunk = new Uint8Array(64 * 1024);
    while (!signal.aborted) yield await Promise.resolve(chunk);
  };
  await using child = receptorctl(node, "work submit cat -n -f");
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  const stderr = await text(child.stderr);
  assert.deepEqual([(await child.status).code, stderr], [1, ""]);
});

Deno.test("program ends on Ctrl-C as the original does: it ends the line and exits with 0", async () => {
  await using node = await FakeNode.start();
  node.work.output = async function* (signal) {
    yield new TextEncoder().encode("first");
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  };
  await using child = receptorctl(node, "work submit cat -n -f");
  const reader = child.stdout.getReader();
  await reader.read();
  child.kill("SIGINT");
  const stderr = await text(child.stderr);
  await reader.cancel();
  assert.deepEqual([(await child.status).code, stderr], [0, "\n"]);
});

Deno.test("program is interrupted while it waits for its standard input", async () => {
  await using node = await FakeNode.start();
  await using child = receptorctl(node, "work submit cat -p -", "piped");
  // The unit exists as soon as the program waits for more to send.
  while (node.work.units.size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill("SIGINT");
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const { code } = await child.status;
  await child.stdin.abort().catch(() => {});
  assert.deepEqual([code, stdout, stderr], [0, "", "\n"]);
});

Deno.test("program exits with the code of its command", async () => {
  await using node = await FakeNode.start();
  await using child = receptorctl(node, "connect nope control");
  const stderr = await text(child.stderr);
  await child.stdout.cancel();
  assert.deepEqual([(await child.status).code, stderr], [1, "ERROR: no route to node\n"]);
});

/** A receptorctl that follows a unit says so, and fails, when the output stops before its end. */
import assert from "node:assert/strict";
import { meshTest } from "../support/mesh.ts";
import { PacedJob } from "../support/paced_job.ts";
import { sha256 } from "../support/payload.ts";
import { clientCommand, type NodeKind } from "../support/peers.ts";
import { testEnvironment } from "../support/program.ts";
import type { TestNode } from "../support/test_node.ts";

interface Followed {
  node: TestNode;
  unit: string;
  job: PacedJob;
  client: Client;
}

interface Client {
  /** Resolves when the first output has arrived. */
  readonly receives: Promise<unknown>;
  readonly result: Promise<{ code: number; stderr: string; stdout: Uint8Array }>;
}

function follow(socket: string): Client {
  const [file, ...args] = clientCommand("ours");
  const child = new Deno.Command(file!, {
    args: [...args, "--socket", socket, "work", "submit", "paced", "--no-payload", "--follow"],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    clearEnv: true,
    env: testEnvironment(),
  }).spawn();
  const { promise: receives, resolve: onFirst } = Promise.withResolvers<void>();
  const collect = async () => {
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    for await (const chunk of child.stdout) {
      chunks.push(chunk);
      onFirst();
    }
    return new Uint8Array(await new Blob(chunks).arrayBuffer());
  };
  const ended = Promise.all([collect(), new Response(child.stderr).text(), child.status]);
  const result = ended.then(([stdout, stderr, { code }]) => ({ code, stderr, stdout }));
  return { receives: Promise.race([receives, result]), result };
}

function followTest(name: string, kind: NodeKind, body: (followed: Followed) => Promise<void>) {
  meshTest(name, { kinds: ["ours", kind] }, async (mesh) => {
    using job = await PacedJob.create(await mesh.folder(), 2);
    const node = await mesh.node({ kind, id: "solo", actions: [job.workType()] });
    const client = follow(node.socket);
    await job.started();
    await job.write(1);
    const [unit] = await node.unitFolders();
    await client.receives;
    await body({ node, unit: unit!, job, client });
  });
}

for (const kind of ["ours", "go"] as const) {
  followTest(`a job's output is lost with its node (${kind})`, kind, async ({ node, client }) => {
    await node.kill();
    const { code, stderr } = await client.result;
    assert.equal(code, 101);
    assert.match(stderr, /^ERROR: Output may have been lost after \d+ bytes: /);
  });
}

followTest("a Go node ends the results of a job whose folder is gone", "go", async (followed) => {
  const { node, unit, client } = followed;
  await Deno.remove(node.unitFolder(unit), { recursive: true });
  const { code, stderr } = await client.result;
  assert.equal(code, 1);
  // A Go daemon learns a moment later than its clients that a job runs.
  const said = /^ERROR: Output was lost: the results ended while the unit was (Pending|Running)/;
  assert.match(stderr, said);
});

followTest(
  "a client that follows a job gets all of its output, though the folder is removed",
  "ours",
  async (followed) => {
    const { node, unit, job, client } = followed;
    await Deno.remove(node.unitFolder(unit), { recursive: true });
    await job.write(1);
    await job.exit();
    const { code, stderr, stdout } = await client.result;
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(sha256(stdout), job.sha256);
  },
);

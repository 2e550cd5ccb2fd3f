/** The control service over TCP, plain and with TLS: both clients with both daemons. */
import assert from "node:assert/strict";
import { makeCertificates } from "../support/certificates.ts";
import { meshTest } from "../support/mesh.ts";
import type { ClientKind } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import { randomBytes, sha256 } from "../support/payload.ts";
import { receptorctl, type ReceptorctlResult } from "../support/receptorctl.ts";
import type { TestNode } from "../support/test_node.ts";

const CAT = { "work-command": { worktype: "cat", command: "cat" } };
const PAYLOAD_BYTES = 1_000_000;

const PAIRS: readonly { client: ClientKind; daemon: "ours" | "go"; name: string }[] = [
  { client: "ours", daemon: "ours", name: "our client, our daemon" },
  { client: "ours", daemon: "go", name: "our client, Go's daemon" },
  { client: "python", daemon: "ours", name: "the Python client, our daemon" },
  { client: "python", daemon: "go", name: "the Python client, Go's daemon" },
];

for (const { client, daemon, name } of PAIRS) {
  meshTest(`control over tcp://: ${name}`, { kinds: ["go"] }, async (mesh) => {
    const port = freePort();
    const node = await mesh.node({
      kind: daemon,
      id: "solo",
      control: { tcplisten: `127.0.0.1:${port}` },
      actions: [CAT],
    });
    const socket = `tcp://localhost:${port}`;
    await works(node, (args, stdin) => receptorctl(args, { client, socket, ...stdin }));
  });

  meshTest(`control over tls://: ${name}`, { kinds: ["go"] }, async (mesh) => {
    const folder = await mesh.folder();
    const tls = await makeCertificates(folder.join("good"), ["solo", "user"]);
    const foreign = await makeCertificates(folder.join("foreign"), ["user"]);
    const port = freePort();
    const node = await mesh.node({
      kind: daemon,
      id: "solo",
      control: { tcplisten: `127.0.0.1:${port}`, tcptls: "server" },
      actions: [
        CAT,
        {
          "tls-server": {
            name: "server",
            cert: tls.cert("solo"),
            key: tls.key("solo"),
            requireclientcert: true,
            clientcas: tls.ca,
          },
        },
      ],
    });
    const socket = `tls://localhost:${port}`;
    const run = (args: readonly string[], stdin = {}) =>
      receptorctl(args, { client, socket, ...stdin });
    const shown = ["--cert", tls.cert("user"), "--key", tls.key("user")];
    const trusting = ["--rootcas", tls.ca, ...shown];

    await works(node, (args, stdin) => run([...trusting, ...args], stdin));

    // The same from the node's own kind of configuration.
    const config = folder.join("receptor.conf");
    const files = { cert: tls.cert("user"), key: tls.key("user"), rootcas: tls.ca };
    await Deno.writeTextFile(
      config,
      JSON.stringify([{ "tls-client": { name: "mine", ...files } }]),
    );
    const configured = ["--config", config, "--tls-client", "mine"];
    succeeds(await run([...configured, "status"]), /^Node ID: solo$/m);

    // Another name for the same machine, which is not in the certificate.
    const elsewhere = (args: readonly string[]) =>
      receptorctl(args, { client, socket: `tls://127.0.0.2:${port}` });
    await fails(elsewhere([...trusting, "status"]));

    await fails(run(["--rootcas", foreign.ca, ...shown, "status"]));
    await fails(run(["--rootcas", tls.ca, "status"]));
    const stranger = ["--cert", foreign.cert("user"), "--key", foreign.key("user")];
    await fails(run(["--rootcas", tls.ca, ...stranger, "status"]));
    assert.deepEqual(await node.unitFolders(), []);
  });

  meshTest(`control over tls:// by any name: ${name}`, { kinds: ["go"] }, async (mesh) => {
    const folder = await mesh.folder();
    const tls = await makeCertificates(folder.path, ["solo"]);
    const port = freePort();
    await mesh.node({
      kind: daemon,
      id: "solo",
      control: { tcplisten: `0.0.0.0:${port}`, tcptls: "server" },
      actions: [{ "tls-server": { name: "server", cert: tls.cert("solo"), key: tls.key("solo") } }],
    });
    const run = (...args: string[]) =>
      receptorctl(["--rootcas", tls.ca, ...args, "status"], {
        client,
        socket: `tls://127.0.0.2:${port}`,
      });
    await fails(run());
    succeeds(await run("--insecureskipverify", "yes"), /^Node ID: solo$/m);
  });
}

type Run = (
  args: readonly string[],
  options?: { stdin: Uint8Array },
) => Promise<ReceptorctlResult>;

/** A status and a job with a payload there and back. */
async function works(node: TestNode, run: Run): Promise<void> {
  succeeds(await run(["status"]), new RegExp(`^Node ID: ${node.id}$`, "m"));
  const payload = randomBytes(PAYLOAD_BYTES);
  const done = await run(["work", "submit", "cat", "-p", "-", "-f"], { stdin: payload });
  assert.equal(done.code, 0, done.stderr);
  assert.deepEqual([done.stdoutBytes.length, sha256(done.stdoutBytes)], [
    PAYLOAD_BYTES,
    sha256(payload),
  ]);
  succeeds(await run(["work", "release", "--all"]), /^Released:$/m);
}

function succeeds({ code, stdout, stderr }: ReceptorctlResult, pattern: RegExp): void {
  assert.equal(code, 0, stderr);
  assert.match(stdout, pattern);
}

async function fails(result: Promise<ReceptorctlResult>): Promise<void> {
  const { code, stdout } = await result;
  assert.deepEqual([code, stdout], [1, ""]);
}

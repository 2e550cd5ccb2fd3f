/** Work that must be signed, and invalid signatures, between a Go daemon and ours. */
import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { signWorkToken } from "../../lib/pki/work_token.ts";
import type { ControlSession } from "../support/control_session.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import type { NodeKind } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import type { TestNode, UnitStatus } from "../support/test_node.ts";

const minute = 60_000;

interface TokenCase {
  name: string;
  /** The signature that comes with the command; undefined for none. */
  token: (keys: Keys) => string | undefined;
  says: Record<"ours" | "go", RegExp>;
}

interface Keys {
  right: KeyObject;
  wrong: KeyObject;
}

const inTime = () => Date.now() + 5 * minute;

const TOKENS: readonly TokenCase[] = [
  {
    name: "no signature",
    token: () => undefined,
    says: {
      ours: /^could not verify signature: signature is empty$/,
      go: /could not verify signature: signature is empty/,
    },
  },
  {
    name: "another key's signature",
    token: ({ wrong }) => signWorkToken(wrong, { audience: "far", expiresAt: inTime() }),
    says: {
      ours: /^could not verify signature: crypto\/rsa: verification error$/,
      go: /could not verify signature: .*crypto\/rsa: verification error/,
    },
  },
  {
    name: "a signature for another node",
    token: ({ right }) => signWorkToken(right, { audience: "near", expiresAt: inTime() }),
    says: {
      ours: /^token audience did not match node ID: it is for near, this node is far$/,
      go: /token audience did not match node ID/,
    },
  },
  {
    name: "a signature that expired",
    token: ({ right }) => signWorkToken(right, { audience: "far", expiresAt: Date.now() - minute }),
    says: {
      ours: /^could not verify signature: token is expired by 1m\d(\.\d+)?s$/,
      go: /could not verify signature: .*token is expired/,
    },
  },
  {
    name: "something that is no signature",
    token: () => "not.a-token",
    says: {
      ours: /^could not verify signature: token contains an invalid number of segments$/,
      go: /could not verify signature: .*token contains an invalid number of segments/,
    },
  },
];

for (const worker of ["ours", "go"] as const) {
  const submitter: NodeKind = worker === "ours" ? "go" : "ours";
  const name = worker === "ours" ? "Go submits to ours" : "ours submits to Go";

  meshTest(`signed work is done, ${name}`, { kinds: ["go"] }, async (mesh) => {
    const { near, far } = await startNodes(mesh, submitter, worker);
    const params = { signwork: "true" };
    const unit = await near.submit({ node: "far", worktype: "cat", payload: "hi", params });
    assert.equal(await near.resultText(unit), "hi");
    assert.equal((await near.waitForUnit(unit)).StateName, "Succeeded");
    assert.deepEqual(await near.json(`work release ${unit}`), { released: unit });
    assert.deepEqual(await far.unitFolders(), []);
  });

  meshTest(`work that is not signed fails, ${name}`, { kinds: ["go"] }, async (mesh) => {
    const { near, far } = await startNodes(mesh, submitter, worker);
    const told = submitter === "ours"
      ? /^ERROR: error from remote: could not verify signature: signature is empty$/
      : /could not verify signature: signature is empty/;
    await assert.rejects(near.submit({ node: "far", worktype: "cat", payload: "hi" }), {
      name: "ControlRefusal",
      message: told,
    });
    const units = Object.values(await near.json("work list")) as UnitStatus[];
    assert.deepEqual(units.map(({ StateName }) => StateName), ["Failed"]);
    assert.match(units[0]!.Detail, /could not verify signature: signature is empty/);
    assert.deepEqual(await far.unitFolders(), []);
  });

  meshTest(`signatures that do not count are refused, ${name}`, { kinds: ["go"] }, async (mesh) => {
    const { near, far, keys } = await startNodes(mesh, submitter, worker);
    for (const { name, token, says } of TOKENS) {
      await using session = await connected(near);
      const signature = token(keys);
      await session.send({
        ...{ command: "work", subcommand: "submit", node: "far", worktype: "cat" },
        ...(signature !== undefined && { signature }),
      });
      const reply = String(await session.readLine());
      assert.match(reply, /^ERROR: /, name);
      assert.match(reply.slice("ERROR: ".length), says[worker], name);
      assert.deepEqual(await far.unitFolders(), [], name);
    }
  });
}

/** The far node's control service, over the mesh. */
async function connected(near: TestNode): Promise<ControlSession> {
  const session = await near.session();
  assert.equal(await session.command("connect far control"), "Connecting");
  assert.equal(await session.readLine(), "Receptor Control, node far");
  return session;
}

async function startNodes(mesh: Mesh, submitter: NodeKind, worker: NodeKind) {
  const folder = await mesh.folder();
  const [right, wrong] = [makeKey(), makeKey()];
  const privateKey = folder.join("private.pem");
  const publicKey = folder.join("public.pem");
  await Deno.writeTextFile(
    privateKey,
    right.privateKey.export({ type: "pkcs1", format: "pem" }) as string,
    { mode: 0o600 },
  );
  await Deno.writeTextFile(
    publicKey,
    right.publicKey.export({ type: "spki", format: "pem" }) as string,
  );
  const port = freePort();
  const far = await mesh.node({
    kind: worker,
    id: "far",
    actions: [
      { "tcp-listener": { bindaddr: "127.0.0.1", port } },
      { "work-verification": { publickey: publicKey } },
      { "work-command": { worktype: "cat", command: "cat", verifysignature: true } },
    ],
  });
  const near = await mesh.node({
    kind: submitter,
    id: "near",
    actions: [
      { "tcp-peer": { address: `127.0.0.1:${port}` } },
      { "work-signing": { privatekey: privateKey, tokenexpiration: "1m" } },
    ],
  });
  await near.waitForRoute("far");
  return { near, far, keys: { right: right.privateKey, wrong: wrong.privateKey } };
}

function makeKey() {
  return generateKeyPairSync("rsa", { modulusLength: 2048 });
}

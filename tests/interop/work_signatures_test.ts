/** A Go node accepts work that we sign, under the same conditions as ours. */
import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { signWorkToken, verifyWorkToken } from "../../lib/pki/work_token.ts";
import { meshTest } from "../support/mesh.ts";
import { freePort } from "../support/ports.ts";
import { ControlSession } from "../support/control_session.ts";

const newKey = () => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;

meshTest("a Go node and we judge signatures alike", { kinds: ["go"] }, async (mesh) => {
  const folder = await mesh.folder();
  const key = newKey();
  const publicKey = createPublicKey(key);
  const file = folder.join("public.pem");
  await Deno.writeTextFile(file, `${publicKey.export({ format: "pem", type: "spki" })}`);
  const port = freePort();
  await mesh.node({
    kind: "go",
    id: "foo",
    // Over the Unix socket, no signature is needed.
    control: { tcplisten: `127.0.0.1:${port}` },
    actions: [
      { "work-verification": { publickey: file } },
      { "work-command": { worktype: "cat", command: "cat", verifysignature: true } },
    ],
  });

  const now = Date.now();
  const signed = (audience: string, expiresAt: number, by: KeyObject = key) =>
    signWorkToken(by, { audience, expiresAt });
  const cases: [signature: string, expected: RegExp][] = [
    [signed("foo", now + 60_000), /^counts$/],
    [signed("bar", now + 60_000), /^token audience did not match node ID/],
    [signed("foo", now - 90_000), /^could not verify signature: token is expired by 1m3\d\.?\d*s$/],
    [signed("foo", now + 60_000, newKey()), /^could not verify signature: crypto\/rsa: verif/],
    ["", /^could not verify signature: signature is empty$/],
    ["abc", /^could not verify signature: token contains an invalid number of segments$/],
  ];
  for (const [signature, expected] of cases) {
    await using session = await ControlSession.open({ port });
    await session.send({
      command: "work",
      subcommand: "submit",
      node: "foo",
      worktype: "cat",
      signature,
    });
    const line = await session.readLine() ?? "";
    const theirs = line.startsWith("Work unit created") ? "counts" : line.replace(/^ERROR: /, "");
    assert.match(theirs, expected);
    assert.match(judge(signature, publicKey), expected);
  }
});

function judge(signature: string, publicKey: KeyObject): string {
  try {
    verifyWorkToken(signature, publicKey, { nodeId: "foo", now: Date.now(), command: "" });
    return "counts";
  } catch (error) {
    assert.ok(error instanceof Error);
    return error.message;
  }
}

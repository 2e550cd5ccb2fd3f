/** Keys from the real `ssh-keygen`; skipped if it is not installed. */
import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey } from "node:crypto";
import fc from "fast-check";
import { OPENSSH_LABEL, rsaKeyFromOpenSsh } from "../../lib/pki/openssh_key.ts";
import { parsePem } from "../../lib/pki/pem.ts";
import {
  loadSigningKey,
  loadVerifyingKey,
  signWorkToken,
  verifyWorkToken,
} from "../../lib/pki/work_token.ts";
import { TempFolder } from "../support/temp_folder.ts";

/** Whether it succeeded; throws `NotFound` if it is not installed. */
async function sshKeygen(...args: string[]): Promise<boolean> {
  const { success } = await new Deno.Command("ssh-keygen", {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}

const present = await sshKeygen("-l", "-f", "/dev/null").then(() => true, () => false);

function sshTest(name: string, body: (folder: TempFolder) => Promise<void>): void {
  Deno.test({
    name: present ? name : `${name} (skipped: there is no ssh-keygen)`,
    ignore: !present,
    async fn() {
      await using folder = await TempFolder.create();
      await body(folder);
    },
  });
}

/** A new key in OpenSSH's own format; resolves to its file. */
async function makeKey(folder: TempFolder, name: string, ...args: string[]): Promise<string> {
  const file = folder.join(name);
  assert.ok(await sshKeygen("-q", "-N", "", "-f", file, ...args));
  assert.ok((await Deno.readTextFile(file)).includes(OPENSSH_LABEL));
  return file;
}

for (const bits of ["2048", "3072"]) {
  sshTest(`an RSA key of ${bits} bits from ssh-keygen is the same key`, async (folder) => {
    const file = await makeKey(folder, "key", "-t", "rsa", "-b", bits);
    const ours = loadSigningKey(file).export({ format: "der", type: "pkcs1" });
    // The same key in the form that every program reads.
    assert.ok(await sshKeygen("-p", "-q", "-P", "", "-N", "", "-m", "PEM", "-f", file));
    const theirs = createPrivateKey(await Deno.readTextFile(file));
    assert.deepEqual(ours, theirs.export({ format: "der", type: "pkcs1" }));

    const publicFile = folder.join("key.pem");
    const spki = createPublicKey(theirs).export({ format: "pem", type: "spki" });
    await Deno.writeTextFile(publicFile, spki as string);
    const token = signWorkToken(loadSigningKey(file), { audience: "foo", expiresAt: 2000 });
    verifyWorkToken(token, loadVerifyingKey(publicFile), {
      nodeId: "foo",
      now: 1000,
      command: "cancel x",
    });
  });
}

sshTest("a key that cannot sign work says why", async (folder) => {
  const other = await makeKey(folder, "ed25519", "-t", "ed25519");
  assert.throws(() => loadSigningKey(other), {
    message:
      `could not load signing key file: ${other} holds a key of type ssh-ed25519, expected RSA`,
  });
  const encrypted = folder.join("encrypted");
  assert.ok(await sshKeygen("-q", "-t", "rsa", "-N", "a passphrase", "-f", encrypted));
  assert.throws(() => loadSigningKey(encrypted), /encrypted is encrypted, .*"ssh-keygen -p/);
});

sshTest("a damaged key is an error and nothing else", async (folder) => {
  const file = await makeKey(folder, "key", "-t", "rsa", "-b", "2048");
  const [block] = parsePem(await Deno.readTextFile(file));
  for (let length = 0; length < block!.der.length - 300; length += 7) {
    assert.throws(() => rsaKeyFromOpenSsh(block!.der.subarray(0, length)), SyntaxError);
  }
  fc.assert(
    fc.property(fc.nat({ max: block!.der.length - 1 }), fc.nat({ max: 255 }), (at, value) => {
      const bytes = block!.der.slice();
      bytes[at] = value;
      try {
        rsaKeyFromOpenSsh(bytes);
      } catch (error) {
        assert.ok(error instanceof SyntaxError, String(error));
      }
    }),
  );
});

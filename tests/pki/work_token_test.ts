/** Signed work: which tokens are valid, and what is said about those that are not. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
} from "node:crypto";
import { formatPem } from "../../lib/pki/pem.ts";
import {
  loadSigningKey,
  loadVerifyingKey,
  signWorkToken,
  verifyWorkToken,
} from "../../lib/pki/work_token.ts";
import { TempFolder } from "../support/temp_folder.ts";

const NOW = Date.UTC(2026, 10, 21);
const SECONDS = NOW / 1000;
const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const stranger = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;

const base64url = (value: unknown) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/** A token with any header and claims, properly signed. */
function token(header: unknown, claims: unknown, key = privateKey): string {
  const body = `${base64url(header)}.${base64url(claims)}`;
  return `${body}.${sign("sha512", Buffer.from(body), key).toString("base64url")}`;
}

const HEADER = { alg: "RS512", typ: "JWT" };
const CLAIMS = { aud: ["foo"], exp: SECONDS + 60 };

function verdict(text: string, now = NOW): string {
  try {
    verifyWorkToken(text, publicKey, { nodeId: "foo", now, command: "cancel x" });
    return "counts";
  } catch (error) {
    assert.ok(error instanceof Error && error.name === "WorkTokenError");
    return error.message;
  }
}

Deno.test("a token is valid for its node until it expires", () => {
  const signed = signWorkToken(privateKey, {
    audience: "foo",
    command: "cancel x",
    expiresAt: NOW + 300_000,
  });
  assert.equal(verdict(signed), "counts");
  assert.equal(verdict(signed, NOW + 299_999), "counts");
  assert.equal(
    verdict(signed, NOW + 390_500),
    "could not verify signature: token is expired by 1m30.5s",
  );
  const [header, claims] = signed.split(".").map((part) =>
    Buffer.from(part, "base64url").toString()
  );
  assert.equal(header, '{"alg":"RS512","typ":"JWT"}');
  assert.equal(claims, `{"aud":["foo"],"exp":${SECONDS + 300},"receptor_command":"cancel x"}`);
});

Deno.test("an invalid token is refused in the original's words", () => {
  const prefix = "could not verify signature: ";
  const hmac = (() => {
    const body = `${base64url({ alg: "HS512" })}.${base64url(CLAIMS)}`;
    const secret = publicKey.export({ format: "pem", type: "spki" });
    return `${body}.${createHmac("sha512", secret).update(body).digest("base64url")}`;
  })();
  const cases: [string, string][] = [
    ["", `${prefix}signature is empty`],
    ["abc", `${prefix}token contains an invalid number of segments`],
    ["a.b", `${prefix}token contains an invalid number of segments`],
    ["a.b.c.d", `${prefix}token contains an invalid number of segments`],
    ["!.b.c", `${prefix}token's header is not base64`],
    [`${base64url("{")}.e30.AA`, `${prefix}token's header is not JSON`],
    [`${base64url("[]")}.e30.AA`, `${prefix}token's header is not a JSON object`],
    [
      `${base64url(HEADER)}.${base64url("null")}.AA`,
      `${prefix}token's claims is not a JSON object`,
    ],
    [`${base64url(HEADER)}.e30.!`, `${prefix}token's signature is not base64`],
    [`${base64url({})}.e30.AA`, `${prefix}signing method (alg) is unspecified.`],
    [
      `${base64url({ alg: "none" })}.${base64url(CLAIMS)}.`,
      `${prefix}signing method none is invalid, only RS512 is`,
    ],
    [hmac, `${prefix}signing method HS512 is invalid, only RS512 is`],
    [token(HEADER, CLAIMS, stranger), `${prefix}crypto/rsa: verification error`],
    [token(HEADER, { ...CLAIMS, exp: 0 }, stranger), `${prefix}crypto/rsa: verification error`],
    [`${token(HEADER, CLAIMS).slice(0, -6)}AAAAAA`, `${prefix}crypto/rsa: verification error`],
    [token(HEADER, { aud: ["foo"] }), `${prefix}token has no expiration (exp)`],
    [token(HEADER, { ...CLAIMS, exp: "x" }), `${prefix}token's exp is not a number`],
    [token(HEADER, { ...CLAIMS, exp: SECONDS }), `${prefix}token is expired by 0s`],
    [token(HEADER, { ...CLAIMS, nbf: SECONDS + 1 }), `${prefix}token is not valid yet`],
    [token(HEADER, { ...CLAIMS, iat: SECONDS + 1 }), `${prefix}token used before issued`],
    [
      token(HEADER, { ...CLAIMS, aud: ["bar", "b\naz"] }),
      "token audience did not match node ID: it is for bar, b\\naz, this node is foo",
    ],
    [
      token(HEADER, { exp: SECONDS + 60 }),
      "token audience did not match node ID: it is for nobody, this node is foo",
    ],
    ["x".repeat(20_000), `${prefix}token of 20000 characters is too long`],
  ];
  for (const [text, expected] of cases) assert.equal(verdict(text), expected);
});

Deno.test("audiences and times in other forms that the standard allows are valid", () => {
  assert.equal(verdict(token(HEADER, { ...CLAIMS, aud: "foo" })), "counts");
  assert.equal(verdict(token(HEADER, { ...CLAIMS, aud: ["bar", "foo"] })), "counts");
  assert.equal(verdict(token(HEADER, { ...CLAIMS, exp: SECONDS + 0.5 })), "counts");
  assert.equal(verdict(token(HEADER, { ...CLAIMS, nbf: SECONDS, iat: null })), "counts");
});

Deno.test("keys are read in all usual forms, and faults named with the file", async () => {
  await using folder = await TempFolder.create();
  const write = async (name: string, contents: string) => {
    await Deno.writeTextFile(folder.join(name), contents);
    return folder.join(name);
  };
  const pkcs8 = privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  const pkcs1 = formatPem(
    "RSA PRIVATE KEY",
    privateKey.export({ format: "der", type: "pkcs1" }),
  );
  const spki = publicKey.export({ format: "pem", type: "spki" }).toString();
  const ec = generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;
  for (const text of [pkcs8, pkcs1]) {
    const key = loadSigningKey(await write("key", text));
    const signed = signWorkToken(key, {
      audience: "foo",
      command: "cancel x",
      expiresAt: NOW + 1000,
    });
    const verifying = loadVerifyingKey(await write("pub", spki));
    verifyWorkToken(signed, verifying, { nodeId: "foo", now: NOW, command: "cancel x" });
  }
  const ecKey = await write("ec", ec.export({ format: "pem", type: "pkcs8" }).toString());
  const ecPub = await write(
    "ecpub",
    createPublicKey(createPrivateKey(await Deno.readTextFile(ecKey)))
      .export({ format: "pem", type: "spki" }).toString(),
  );
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const weakKey = await write(
    "weak",
    formatPem(
      "RSA PRIVATE KEY",
      weak.privateKey.export({ format: "der", type: "pkcs1" }),
    ),
  );
  const weakPub = await write(
    "weakpub",
    weak.publicKey.export({ format: "pem", type: "spki" }).toString(),
  );
  const none = folder.join("none");
  const faults: [() => unknown, RegExp][] = [
    [() => loadSigningKey(""), /^Error: cannot sign work: signing key is empty$/],
    [() => loadSigningKey(none), /could not load signing key file: open .*none: no such file or/],
    [
      () => loadSigningKey(folder.join("pub")),
      /could not load signing key file: no private key in/,
    ],
    [() => loadSigningKey(ecKey), /could not load signing key file: .* of type ec, expected RSA/],
    [() => loadSigningKey(weakKey), /key file: .*weak: RSA key of 1024 bits is too short: 2048/],
    [() => loadVerifyingKey(weakPub), /key file: .*weakpub: RSA key of 1024 bits is too short/],
    [() => loadVerifyingKey(""), /could not verify signature: verifying key not specified$/],
    [
      () => loadVerifyingKey(none),
      /could not load verifying key file: open .*none: no such file or/,
    ],
    [
      () => loadVerifyingKey(folder.join("key")),
      /no public key in .*key, which holds "RSA PRIVATE/,
    ],
    [
      () => loadVerifyingKey(ecPub),
      /could not load verifying key file: .* of type ec, expected RSA/,
    ],
  ];
  for (const [action, expected] of faults) assert.throws(action, expected);
});

Deno.test("a token of ours counts for one command, one of the original's for any", () => {
  const bound = signWorkToken(privateKey, {
    audience: "foo",
    command: "submit abc 00",
    expiresAt: NOW + 1000,
  });
  const check = (text: string, command: string, boundOnly?: boolean) =>
    verifyWorkToken(text, publicKey, { nodeId: "foo", now: NOW, command, boundOnly });
  check(bound, "submit abc 00");
  check(bound, "submit abc 00", true);
  for (const command of ["submit abc 01", "submit abd 00", "cancel abc", ""]) {
    assert.throws(() => check(bound, command), {
      name: "WorkTokenError",
      message: /^could not verify signature: token is for the command "submit abc 00", not for "/,
    });
  }
  const original = token(HEADER, CLAIMS);
  check(original, "cancel abc");
  assert.throws(() => check(original, "cancel abc", true), /token is good for any command/);
  for (const claim of [null, 1, ["cancel abc"], {}]) {
    const odd = token(HEADER, { ...CLAIMS, receptor_command: claim });
    assert.throws(() => check(odd, "cancel abc"), /token is for the command/);
  }
});

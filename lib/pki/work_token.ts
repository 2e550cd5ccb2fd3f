/**
 * Signed work: a JSON Web Token (RFC 7519), RS512, that says which node a command is for and until
 * when it is valid. Whoever has the private key may submit work wherever the public key is known.
 */
import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { messageOf } from "../base/error_message.ts";
import { formatGoDuration } from "../base/go_duration.ts";
import { OPENSSH_LABEL, rsaKeyFromOpenSsh } from "./openssh_key.ts";
import { parsePem, type PemBlock } from "./pem.ts";
import { printable, printableList } from "../base/printable.ts";
import { privateKeyBlocks, readKeyBlock } from "./private_key.ts";
import { checkKeyStrength } from "./public_key.ts";
import { readTextFile } from "./read_file.ts";

const ALGORITHM = "RS512";
const DIGEST = "RSA-SHA512";
/** Ours have some 500 characters; nobody has a reason to send one longer than this. */
const MAX_TOKEN_LENGTH = 16 * 1024;
const NS_PER_MS = 1e6;
/** Not the original's, which ignores claims that it does not know. */
const COMMAND_CLAIM = "receptor_command";

/** Why a token is not valid; the message goes to the client that sent it. */
export class WorkTokenError extends Error {
  override readonly name = "WorkTokenError";
}

/**
 * Makes a token for one command to `audience`, a node id, that is valid until `expiresAt` (ms).
 * Nodes of the original take it for any command.
 */
export function signWorkToken(
  key: KeyObject,
  { audience, command, expiresAt }: {
    readonly audience: string;
    /** Absent: it is good for any. */
    readonly command?: string | undefined;
    readonly expiresAt: number;
  },
): string {
  const claims = {
    aud: [audience],
    exp: Math.floor(expiresAt / 1000),
    [COMMAND_CLAIM]: command,
  };
  const body = `${encode({ alg: ALGORITHM, typ: "JWT" })}.${encode(claims)}`;
  return `${body}.${sign(DIGEST, Buffer.from(body), key).toString("base64url")}`;
}

export interface ExpectedToken {
  readonly nodeId: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** The command that the token came with. */
  readonly command: string;
  /** Refuse tokens that are good for any command, as those of the original are. */
  readonly boundOnly?: boolean | undefined;
}

/** Checks a token that came with a command. Throws a `WorkTokenError` in the original's words. */
export function verifyWorkToken(
  token: string,
  key: KeyObject,
  { nodeId, now, command, boundOnly }: ExpectedToken,
): void {
  if (token === "") refuse("signature is empty");
  if (token.length > MAX_TOKEN_LENGTH) refuse(`token of ${token.length} characters is too long`);
  const [header = "", payload = "", signature = "", ...others] = token.split(".");
  if (token.split(".", 3).length < 3 || others.length > 0) {
    refuse("token contains an invalid number of segments");
  }
  const { alg } = decode(header, "header");
  const claims = decode(payload, "claims");
  if (typeof alg !== "string" || alg === "") refuse("signing method (alg) is unspecified.");
  // No other: the algorithm is our choice, not the sender's.
  if (alg !== ALGORITHM) {
    refuse(`signing method ${printable(alg)} is invalid, only ${ALGORITHM} is`);
  }
  const bytes = Buffer.from(base64url(signature, "signature"));
  if (!verify(DIGEST, Buffer.from(`${header}.${payload}`), key, bytes)) {
    refuse("crypto/rsa: verification error");
  }
  checkTimes(claims, now);
  checkAudience(claims, nodeId);
  checkCommand(claims, command, boundOnly);
}

/** The key of `work-signing`. Throws an `Error` that says what is wrong with the file. */
export function loadSigningKey(file: string): KeyObject {
  if (file === "") throw new Error("cannot sign work: signing key is empty");
  try {
    const [block, ...others] = privateKeyBlocks(readTextFile(file));
    if (block === undefined) throw new Error(`no private key in ${file}`);
    if (others.length > 0) throw new Error(`more than one private key in ${file}`);
    if (block.label === OPENSSH_LABEL) return loadOpenSshKey(block, file);
    return rsaOnly(readKeyBlock(block, file), file);
  } catch (cause) {
    throw new Error(`could not load signing key file: ${messageOf(cause)}`, { cause });
  }
}

function loadOpenSshKey({ der }: PemBlock, file: string): KeyObject {
  let pkcs1: Uint8Array;
  try {
    pkcs1 = rsaKeyFromOpenSsh(der);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new SyntaxError(`${file} ${cause.message}`, { cause });
  }
  const key = createPrivateKey({ key: Buffer.from(pkcs1), format: "der", type: "pkcs1" });
  return rsaOnly(key, file);
}

/** The key of `work-verification`. Throws an `Error` that says what is wrong with the file. */
export function loadVerifyingKey(file: string): KeyObject {
  if (file === "") refuse("verifying key not specified");
  try {
    const blocks = parsePem(readTextFile(file));
    const [block, ...others] = blocks.filter(({ label }) => label.endsWith("PUBLIC KEY"));
    if (block === undefined) {
      const found = blocks.map(({ label }) => `"${label}"`).join(", ") || "no PEM";
      throw new Error(`no public key in ${file}, which holds ${found}`);
    }
    if (others.length > 0) throw new Error(`more than one public key in ${file}`);
    const type = block.label === "RSA PUBLIC KEY" ? "pkcs1" : "spki";
    const der = Buffer.from(block.der);
    return rsaOnly(createPublicKey({ key: der, format: "der", type }), file);
  } catch (cause) {
    throw new Error(`could not load verifying key file: ${messageOf(cause)}`, { cause });
  }
}

function checkTimes(claims: Record<string, unknown>, now: number): void {
  const expiresAt = timeOf(claims, "exp");
  // The original accepts a token without an expiry for ever; nobody makes such tokens.
  if (expiresAt === undefined) refuse("token has no expiration (exp)");
  if (now >= expiresAt) {
    refuse(`token is expired by ${formatGoDuration((now - expiresAt) * NS_PER_MS)}`);
  }
  if (now < (timeOf(claims, "nbf") ?? now)) refuse("token is not valid yet");
  if (now < (timeOf(claims, "iat") ?? now)) refuse("token used before issued");
}

function checkAudience({ aud }: Record<string, unknown>, nodeId: string): void {
  const audience = (Array.isArray(aud) ? aud : [aud])
    .filter((name): name is string => typeof name === "string");
  if (audience.includes(nodeId)) return;
  const actual = audience.length === 0 ? "nobody" : printableList(audience);
  throw new WorkTokenError(
    `token audience did not match node ID: it is for ${actual}, this node is ${nodeId}`,
  );
}

function checkCommand(
  { [COMMAND_CLAIM]: bound }: Record<string, unknown>,
  command: string,
  boundOnly = false,
): void {
  if (bound === command || (bound === undefined && !boundOnly)) return;
  refuse(
    bound === undefined
      ? "token is good for any command, and boundonly of work-verification refuses such tokens"
      : `token is for the command ${printable(JSON.stringify(bound))}, not for "${
        printable(command)
      }"`,
  );
}

/** A claim in seconds since 1970, as milliseconds. */
function timeOf(claims: Record<string, unknown>, name: string): number | undefined {
  const value = claims[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number" || !Number.isFinite(value)) {
    refuse(`token's ${name} is not a number`);
  }
  return value * 1000;
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function decode(segment: string, what: string): Record<string, unknown> {
  const bytes = base64url(segment, what);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    refuse(`token's ${what} is not JSON`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    refuse(`token's ${what} is not a JSON object`);
  }
  return value as Record<string, unknown>;
}

function base64url(segment: string, what: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(segment, { alphabet: "base64url" });
  } catch {
    refuse(`token's ${what} is not base64`);
  }
}

function rsaOnly(key: KeyObject, file: string): KeyObject {
  if (key.asymmetricKeyType === "rsa") return strongOnly(key, file);
  throw new Error(`${file} holds a key of type ${key.asymmetricKeyType}, expected RSA`);
}

function strongOnly(key: KeyObject, file: string): KeyObject {
  try {
    return checkKeyStrength(key);
  } catch (cause) {
    throw new Error(`${file}: ${messageOf(cause)}`, { cause });
  }
}

function refuse(reason: string): never {
  throw new WorkTokenError(`could not verify signature: ${reason}`);
}

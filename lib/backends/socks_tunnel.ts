/** A connection through a SOCKS version 5 proxy (RFC 1928, RFC 1929). */
import { type ByteConn, writeAll } from "../base/byte_conn.ts";
import { parseIpAddress } from "../pki/host_name.ts";
import type { HostPort } from "./host_port.ts";

const VERSION = 5;
const METHOD_NONE = 0;
const METHOD_PASSWORD = 2;
const NEGOTIATION_VERSION = 1;
const CONNECT = 1;
const ADDRESS_BYTES: Readonly<Record<number, number>> = { 1: 4, 4: 16 };
const DOMAIN = 3;

/** By reply code, from 1. */
const FAILURES = [
  "general failure",
  "connection not allowed by its rules",
  "network unreachable",
  "host unreachable",
  "connection refused",
  "TTL expired",
  "command not supported",
  "address type not supported",
];

export interface SocksLogin {
  readonly username: string;
  readonly password: string;
}

/**
 * Asks the proxy at the other end of `conn` for a connection to `target`, whose name the proxy
 * looks up. Throws an `Error` that says what it answered.
 */
export async function requestSocksTunnel(
  conn: ByteConn,
  target: HostPort,
  login: SocksLogin | undefined,
): Promise<void> {
  const methods = login === undefined ? [METHOD_NONE] : [METHOD_NONE, METHOD_PASSWORD];
  await writeAll(conn, Uint8Array.of(VERSION, methods.length, ...methods));
  const [version, method] = await readExactly(conn, 2);
  if (version !== VERSION) throw new Error("it does not speak SOCKS version 5");
  if (method === METHOD_PASSWORD && login !== undefined) await logIn(conn, login);
  else if (method !== METHOD_NONE) {
    throw new Error(`it wants ${login === undefined ? "a" : "another"} way to log in`);
  }
  const port = [target.port >>> 8, target.port & 0xff];
  await writeAll(conn, Uint8Array.of(VERSION, CONNECT, 0, ...addressOf(target.host), ...port));
  const [, reply, , type] = await readExactly(conn, 4);
  if (reply !== 0) throw new Error(`it answered: ${FAILURES[reply! - 1] ?? `code ${reply}`}`);
  const length = type === DOMAIN ? (await readExactly(conn, 1))[0]! : ADDRESS_BYTES[type!] ?? 0;
  await readExactly(conn, length + 2);
}

async function logIn(conn: ByteConn, { username, password }: SocksLogin): Promise<void> {
  await writeAll(
    conn,
    Uint8Array.of(NEGOTIATION_VERSION, ...counted(username), ...counted(password)),
  );
  const [, status] = await readExactly(conn, 2);
  if (status !== 0) throw new Error("it refused the user name and password");
}

function addressOf(host: string): number[] {
  const address = parseIpAddress(host);
  if (address === undefined) return [DOMAIN, ...counted(host)];
  return [address.length === 4 ? 1 : 4, ...address];
}

/** A length in one byte, then the text. */
function counted(text: string): number[] {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > 255) {
    throw new RangeError("a name of more than 255 bytes, which SOCKS forbids");
  }
  return [bytes.length, ...bytes];
}

/** Reads no byte more, since what follows belongs to the tunnel. */
async function readExactly(conn: ByteConn, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  let at = 0;
  while (at < count) {
    const read = await conn.read(bytes.subarray(at));
    if (read === null) throw new Error("it closed the connection");
    at += read;
  }
  return bytes;
}

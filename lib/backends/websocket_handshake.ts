/** Upgrades an HTTP connection to WebSocket (RFC 6455, section 4), on both sides. */
import { type ByteConn, writeAll } from "../base/byte_conn.ts";
import { LineReader } from "../base/line_reader.ts";
import type { Random } from "../base/random.ts";
import {
  formatHttpHead,
  hasToken,
  type HttpHead,
  parseStatusLine,
  readHttpHead,
} from "./http_head.ts";

/** Fixed by RFC 6455, section 1.3. */
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY_BYTES = 16;
/** That many bytes in base64. */
const VALID_KEY = /^[A-Za-z0-9+/]{22}==$/;
/** Of the protocol. */
export const WEBSOCKET_VERSION = "13";

export interface UpgradeRequest {
  /** `ws:` or `wss:`. */
  readonly url: URL;
  /**
   * Sent in addition to what the protocol requires; replaces a header of ours with the same name.
   */
  readonly extraHeader?: readonly [name: string, value: string] | undefined;
}

/** Headers that only the handshake itself may set. */
const RESERVED_HEADERS = new Set([
  "connection",
  "upgrade",
  "content-length",
  "transfer-encoding",
  "sec-websocket-extensions",
  "sec-websocket-key",
  "sec-websocket-protocol",
  "sec-websocket-version",
]);

/** Whether `UpgradeRequest.extraHeader` may have this name. */
export function mayBeExtraHeader(name: string): boolean {
  return !RESERVED_HEADERS.has(name.toLowerCase());
}

/**
 * The client's side. Resolves to the connection for frames; throws if the server answers with
 * anything but a switch to WebSocket.
 */
export async function requestUpgrade(
  conn: ByteConn,
  { url, extraHeader }: UpgradeRequest,
  random: Random,
): Promise<ByteConn> {
  const key = newKey(random);
  const headers = [
    ["Host", url.host],
    ["Upgrade", "websocket"],
    ["Connection", "Upgrade"],
    ["Sec-WebSocket-Key", key],
    ["Sec-WebSocket-Version", WEBSOCKET_VERSION],
    ["Origin", `${url.protocol === "wss:" ? "https" : "http"}://${url.host}`],
    ["User-Agent", "receptor"],
  ] as [string, string][];
  await writeAll(
    conn,
    formatHttpHead(`GET ${url.pathname}${url.search} HTTP/1.1`, withHeader(headers, extraHeader)),
  );
  const reader = new LineReader(conn);
  checkAnswer(await readHttpHead(reader), await acceptValue(key));
  return reader;
}

/** A `Sec-WebSocket-Key`. */
export function newKey(random: Random): string {
  return random.fill(new Uint8Array(KEY_BYTES)).toBase64();
}

function withHeader(
  headers: readonly [string, string][],
  extra: UpgradeRequest["extraHeader"],
): (readonly [string, string])[] {
  if (extra === undefined) return [...headers];
  const name = extra[0].toLowerCase();
  return [...headers.filter((header) => header[0].toLowerCase() !== name), extra];
}

function checkAnswer({ startLine, headers }: HttpHead, accept: string): void {
  const { status, text } = parseStatusLine(startLine);
  if (status !== 101) throw new Error(`the server answered ${text}`);
  const valid = hasToken(headers.get("upgrade"), "websocket") &&
    hasToken(headers.get("connection"), "upgrade") &&
    headers.get("sec-websocket-accept") === accept;
  if (!valid) throw new Error("the server's answer is not a WebSocket handshake");
  for (const name of ["sec-websocket-extensions", "sec-websocket-protocol"]) {
    if (headers.has(name)) throw new Error(`the server chose a ${name} that was not offered`);
  }
}

/** A request that gets an HTTP answer instead of a session. */
export class UpgradeRefused extends Error {
  override readonly name = "UpgradeRefused";
  /** `status` is the status line's, such as `404 Not Found`. */
  constructor(readonly status: string, why: string) {
    super(`${why}: answered ${status}`);
  }
}

/**
 * The server's side. Serves `path`, and everything below it if it ends in a slash. Resolves to the
 * connection for frames. Anything else is answered and throws an `UpgradeRefused`, which lets a
 * client that speaks TLS find out what is wrong; a request that is too long, or does not end,
 * throws another error.
 */
export async function acceptUpgrade(conn: ByteConn, path: string): Promise<ByteConn> {
  const reader = new LineReader(conn);
  try {
    const key = checkRequest(await readRequest(reader), path);
    const headers = [
      ["Upgrade", "websocket"],
      ["Connection", "Upgrade"],
      ["Sec-WebSocket-Accept", await acceptValue(key)],
    ] as const;
    await writeAll(conn, formatHttpHead("HTTP/1.1 101 Switching Protocols", headers));
  } catch (error) {
    if (error instanceof UpgradeRefused) await answer(conn, error);
    throw error;
  }
  return reader;
}

async function readRequest(reader: LineReader): Promise<HttpHead> {
  try {
    return await readHttpHead(reader);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UpgradeRefused("400 Bad Request", error.message);
  }
}

/** The client's key. */
function checkRequest({ startLine, headers }: HttpHead, path: string): string {
  const match = /^(\S+) (\S+) HTTP\/1\.1$/.exec(startLine);
  if (match === null) throw new UpgradeRefused("400 Bad Request", "not an HTTP/1.1 request");
  const [, method, target] = match;
  const asked = pathOf(target!);
  // For the log: a client can ask for anything.
  const shown = JSON.stringify(target!.slice(0, 80));
  if (asked !== path && !(path.endsWith("/") && asked?.startsWith(path))) {
    throw new UpgradeRefused("404 Not Found", `asked for ${shown}`);
  }
  if (method !== "GET") {
    throw new UpgradeRefused("405 Method Not Allowed", "not a GET request");
  }
  if (
    !hasToken(headers.get("upgrade"), "websocket") ||
    !hasToken(headers.get("connection"), "upgrade")
  ) throw new UpgradeRefused("426 Upgrade Required", "not a request for WebSocket");
  if (headers.get("sec-websocket-version") !== WEBSOCKET_VERSION) {
    throw new UpgradeRefused("426 Upgrade Required", "not WebSocket version 13");
  }
  const key = headers.get("sec-websocket-key") ?? "";
  if (!VALID_KEY.test(key)) {
    throw new UpgradeRefused("400 Bad Request", "no valid Sec-WebSocket-Key");
  }
  checkOrigin(headers);
  return key;
}

/** Another site's web page must not turn its reader's browser into a neighbour of ours. */
function checkOrigin(headers: HttpHead["headers"]): void {
  const origin = headers.get("origin");
  if (origin === undefined) return;
  const host = headers.get("host")?.toLowerCase();
  if (URL.canParse(origin) && new URL(origin).host === withoutDefaultPort(origin, host)) return;
  const shown = JSON.stringify(origin.slice(0, 80));
  throw new UpgradeRefused("403 Forbidden", `request of another site, ${shown}`);
}

/** `host` as the URL class writes it for the scheme of `origin`. */
function withoutDefaultPort(origin: string, host: string | undefined): string | undefined {
  const url = `${new URL(origin).protocol}//${host}`;
  return URL.canParse(url) ? new URL(url).host : undefined;
}

function pathOf(target: string): string | undefined {
  const base = "http://localhost";
  if (!target.startsWith("/") && !/^https?:\/\//i.test(target)) return undefined;
  const url = target.startsWith("/") ? `${base}${target}` : target;
  return URL.canParse(url) ? new URL(url).pathname : undefined;
}

async function answer(conn: ByteConn, { status, message }: UpgradeRefused): Promise<void> {
  const body = new TextEncoder().encode(`${message}\n`);
  const head = formatHttpHead(`HTTP/1.1 ${status}`, [
    ["Content-Type", "text/plain; charset=utf-8"],
    ["Content-Length", String(body.length)],
    ["Connection", "close"],
    ["Upgrade", "websocket"],
    ["Sec-WebSocket-Version", WEBSOCKET_VERSION],
  ]);
  await writeAll(conn, head);
  await writeAll(conn, body);
  await conn.closeWrite();
}

/** The `Sec-WebSocket-Accept` that proves that a peer has read this `Sec-WebSocket-Key`. */
export async function acceptValue(key: string): Promise<string> {
  const bytes = new TextEncoder().encode(key + ACCEPT_SUFFIX);
  return new Uint8Array(await crypto.subtle.digest("SHA-1", bytes)).toBase64();
}

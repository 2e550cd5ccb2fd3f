/** Start line and headers of an HTTP/1.1 message: all the HTTP that setting up a link needs. */
import { type LineReader, LineTooLongError } from "../base/line_reader.ts";

/** How a TLS handshake begins: a record of type 22 and version 3.x. */
const TLS_HELLO = "\x16\x03";
const MAX_LINE_BYTES = 8 * 1024;
const MAX_HEADERS = 100;
/** Of the whole head: twice what common servers take of a client whom they do not know. */
const MAX_HEAD_BYTES = 16 * 1024;
/** A field name or a method (RFC 9110, section 5.6.2). */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

const encoder = new TextEncoder();

export interface HttpHead {
  readonly startLine: string;
  /** By lower-case name; the values of repeated ones are joined by commas. */
  readonly headers: ReadonlyMap<string, string>;
}

/** Reads up to the empty line and no further. Throws if it is malformed, too long or cut short. */
export async function readHttpHead(reader: LineReader): Promise<HttpHead> {
  const budget = { bytes: MAX_HEAD_BYTES };
  const startLine = await readLine(reader, budget);
  if (startLine.startsWith(TLS_HELLO)) throw new SyntaxError("the peer speaks TLS, not plain HTTP");
  const headers = new Map<string, string>();
  for (let count = 0; count <= MAX_HEADERS; count++) {
    const line = await readLine(reader, budget);
    if (line === "") return { startLine, headers };
    const [name, value] = splitHeader(line);
    const earlier = headers.get(name.toLowerCase());
    headers.set(name.toLowerCase(), earlier === undefined ? value : `${earlier}, ${value}`);
  }
  throw new RangeError(`an HTTP head of more than ${MAX_HEADERS} headers`);
}

/** A start line and headers as they go over the wire. */
export function formatHttpHead(
  startLine: string,
  headers: Iterable<readonly [name: string, value: string]>,
): Uint8Array {
  const lines = [startLine];
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  return new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
}

/** Splits `Name: value`. Throws a `SyntaxError` if it is not a header. */
export function splitHeader(line: string): [name: string, value: string] {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0));
  const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
  // A line break would start another line for the receiver.
  if (!TOKEN.test(name) || /[\0\r\n]/.test(value)) {
    throw new SyntaxError(
      `${JSON.stringify(line.slice(0, 80))} is not a header: expected Name: value`,
    );
  }
  return [name, value];
}

/** Whether a header that is a list of words contains this one, in any case. */
export function hasToken(list: string | undefined, token: string): boolean {
  return (list ?? "").split(",").some((word) => word.trim().toLowerCase() === token);
}

export interface StatusLine {
  readonly status: number;
  /** Such as `404 Not Found`; without control characters and not too long, for messages. */
  readonly text: string;
}

/** Throws a `SyntaxError` if it is not a status line. */
export function parseStatusLine(line: string): StatusLine {
  const match = /^HTTP\/1\.[01] (\d{3})(?: (.*))?$/.exec(line);
  if (match === null) {
    throw new SyntaxError(`${JSON.stringify(line.slice(0, 80))} is not an HTTP/1.1 status line`);
  }
  // deno-lint-ignore no-control-regex -- for logs
  const reason = (match[2] ?? "").replace(/[\x00-\x1f\x7f]/g, "?").slice(0, 80);
  return { status: Number(match[1]), text: `${match[1]} ${reason}`.trim() };
}

/** Takes the bytes of the line from `budget`. */
async function readLine(reader: LineReader, budget: { bytes: number }): Promise<string> {
  let line: string | null;
  try {
    line = await reader.readLine({ maxBytes: Math.min(MAX_LINE_BYTES, budget.bytes) });
  } catch (error) {
    if (!(error instanceof LineTooLongError)) throw error;
    throw new RangeError(
      budget.bytes < MAX_LINE_BYTES
        ? `an HTTP head of more than ${MAX_HEAD_BYTES} bytes`
        : `an HTTP head with a line of more than ${MAX_LINE_BYTES} bytes`,
    );
  }
  if (line === null) throw new Error("the peer closed the connection");
  budget.bytes -= encoder.encode(line).length;
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}

/** The server's side of an attach, over WebSocket or SPDY, for a fake API server. */
import { constants, inflateSync } from "node:zlib";
import { acceptValue } from "../../../lib/backends/websocket_handshake.ts";
import { WebSocketSession } from "../../../lib/backends/websocket_session.ts";
import { type ByteConn, closeQuietly, writeAll } from "../../../lib/base/byte_conn.ts";
import {
  controlFrame,
  dataFrame,
  FLAG_FIN,
  FRAME_HEAD_BYTES,
  parseSpdyHead,
  SpdyType,
  uint32,
} from "../../../lib/workceptor/kubernetes/api/spdy_frame.ts";
import type { PeerAnswer, PeerRequest } from "./http_peer.ts";

/** What the container does with its end of an attach. */
export interface FakeTerminal {
  /** Some of stdin has come. */
  onStdin(bytes: Uint8Array): void | Promise<void>;
  onStdinEnd(): void;
  /** The attach has ended, however it did. */
  onEnd(): void;
}

/** The attach as seen from the container. */
export interface FakeAttach {
  readonly by: "websocket" | "spdy";
  output(name: "stdout" | "stderr", bytes: Uint8Array): Promise<void>;
  /** States the end as the server does, and ends the connection. */
  finish(status?: unknown): Promise<void>;
  /** Ends the connection without a word. */
  cut(): void;
}

const SUCCESS = { kind: "Status", status: "Success" };
const encoder = new TextEncoder();

/** Takes the upgrade of `request`, and calls `terminal` until the connection ends. */
export async function serveAttach(
  request: PeerRequest,
  answer: PeerAnswer,
  begin: (attach: FakeAttach) => FakeTerminal,
): Promise<void> {
  if (request.headers.get("upgrade") === "websocket") {
    await serveWebSocket(request, answer, begin);
  } else await serveSpdy(request, answer, begin);
}

async function serveWebSocket(
  { headers }: PeerRequest,
  answer: PeerAnswer,
  begin: (attach: FakeAttach) => FakeTerminal,
): Promise<void> {
  const conn = await answer.upgrade([
    ["Upgrade", "websocket"],
    ["Sec-WebSocket-Accept", await acceptValue(headers.get("sec-websocket-key")!)],
    ["Sec-WebSocket-Protocol", "v5.channel.k8s.io"],
  ]);
  const session = new WebSocketSession(conn, { description: "fake attach" });
  const send = (channel: number, bytes: Uint8Array) => session.send(framed(channel, bytes));
  const terminal = begin({
    by: "websocket",
    output: (name, bytes) => send(name === "stdout" ? 1 : 2, bytes),
    async finish(status = SUCCESS) {
      await send(3, encoder.encode(JSON.stringify(status)));
      await conn.closeWrite();
    },
    cut: () => session.close(),
  });
  try {
    for (;;) {
      const messages = await session.receive();
      if (messages === null) break;
      for (const message of messages) {
        if (message[0] === 255) terminal.onStdinEnd();
        else await terminal.onStdin(message.slice(1));
      }
    }
  } finally {
    terminal.onEnd();
    closeQuietly(session);
  }
}

function framed(channel: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = bytes.length + 1;
  const frame = new Uint8Array(length + 2);
  frame.set([length & 0xff, length >>> 8, channel]);
  frame.set(bytes, 3);
  return frame;
}

async function serveSpdy(
  { query }: PeerRequest,
  answer: PeerAnswer,
  begin: (attach: FakeAttach) => FakeTerminal,
): Promise<void> {
  const conn = await answer.upgrade([
    ["Upgrade", "SPDY/3.1"],
    ["X-Stream-Protocol-Version", "v4.channel.k8s.io"],
  ]);
  const streams = new Map<string, number>();
  const wanted = ["stdin", "stdout", "stderr"].filter((name) => query.get(name) === "true");
  const write = (bytes: Uint8Array) => writeAll(conn, bytes);
  let terminal: FakeTerminal | undefined;
  const attach: FakeAttach = {
    by: "spdy",
    output: (name, bytes) => write(dataFrame(streams.get(name)!, 0, bytes)),
    async finish(status = SUCCESS) {
      const text = encoder.encode(JSON.stringify(status));
      await write(dataFrame(streams.get("error")!, FLAG_FIN, text));
      // The client closes; if we did with bytes of its unread, the system would drop what we sent.
      await conn.closeWrite();
    },
    cut: () => closeQuietly(conn),
  };
  let compressed: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  let inflated = 0;
  try {
    for (;;) {
      const head = parseSpdyHead(await readExactly(conn, FRAME_HEAD_BYTES));
      const payload = await readExactly(conn, head.length);
      if (head.kind === "data") {
        if (payload.length > 0) await terminal!.onStdin(payload);
        if (head.flags & FLAG_FIN) terminal!.onStdinEnd();
      } else if (head.type === SpdyType.synStream) {
        // One decompressor for all header blocks: what is new is at the end.
        compressed = Uint8Array.of(...compressed, ...payload.subarray(10));
        const headers = inflateSync(compressed, { finishFlush: constants.Z_SYNC_FLUSH });
        const name = headersIn(headers.subarray(inflated)).get("streamtype")!;
        inflated = headers.length;
        const id = new DataView(payload.buffer).getUint32(0);
        streams.set(name, id);
        await write(controlFrame(SpdyType.synReply, 0, uint32(id)));
        // The server's own pings have even numbers.
        await write(controlFrame(SpdyType.ping, 0, uint32(2)));
        if (streams.size > wanted.length) terminal ??= begin(attach);
      }
    }
  } finally {
    terminal?.onEnd();
  }
}

function headersIn(block: Uint8Array): Map<string, string> {
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  const headers = new Map<string, string>();
  let at = 4;
  const text = () => {
    const length = view.getUint32(at);
    at += 4 + length;
    return new TextDecoder().decode(block.subarray(at - length, at));
  };
  for (let count = view.getUint32(0); count > 0; count--) headers.set(text(), text());
  return headers;
}

async function readExactly(conn: ByteConn, count: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const read = await conn.read(bytes.subarray(at));
    if (read === null) throw new Error("the client closed the connection");
    at += read;
  }
  return bytes;
}

import { ok } from "node:assert/strict";
import fc from "fast-check";
import type { ByteConn } from "../../../../lib/base/byte_conn.ts";
import { systemRandom } from "../../../../lib/base/random.ts";
import {
  attachSession,
  type AttachTransport,
} from "../../../../lib/workceptor/kubernetes/api/attach_channels.ts";
import { AttachSpdy } from "../../../../lib/workceptor/kubernetes/api/attach_spdy.ts";
import { AttachWebSocket } from "../../../../lib/workceptor/kubernetes/api/attach_websocket.ts";
import { KubeError } from "../../../../lib/workceptor/kubernetes/api/kube_error.ts";
import { controlFrame, dataFrame } from "../../../../lib/workceptor/kubernetes/api/spdy_frame.ts";
import { VirtualClock } from "../../../sim/virtual_clock.ts";
import { textOf } from "./_client.ts";

/** A connection on which these bytes come, in reads of this size, and then its end. */
function playing(bytes: Uint8Array, size: number): ByteConn {
  let at = 0;
  return {
    read: (into) => {
      const part = bytes.subarray(at, at + Math.min(size, into.length));
      into.set(part);
      at += part.length;
      return Promise.resolve(part.length || null);
    },
    write: ({ length }) => Promise.resolve(length),
    closeWrite: () => Promise.resolve(),
    close: () => {},
  };
}

const streams = { stdout: true, stderr: true };
const options = { container: "worker", stdin: true, ...streams };
const anyBytes = fc.uint8Array({ maxLength: 300 });
const flags = fc.integer({ min: 0, max: 255 });

const spdyFrame = fc.oneof(
  fc.tuple(fc.integer({ min: 0, max: 9 }), flags, anyBytes).map((args) => dataFrame(...args)),
  fc.tuple(fc.integer({ min: 0, max: 12 }), flags, anyBytes).map((args) => controlFrame(...args)),
  anyBytes,
);
const webSocketFrame = fc.oneof(
  fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 120 })).map(
    ([channel, data]) => Uint8Array.of(0x82, data.length + 1, channel, ...data),
  ),
  anyBytes,
);

async function endsCleanly(transport: AttachTransport): Promise<void> {
  const session = attachSession(transport, streams);
  const outputs = [session.stdout!, session.stderr!].map((output) => textOf(output).catch(String));
  const end = await session.done.catch((error) => error);
  ok(end instanceof KubeError || "success" in end);
  await Promise.all(outputs);
  await session[Symbol.asyncDispose]();
}

const KINDS = [
  [
    "spdy",
    spdyFrame,
    (conn: ByteConn, clock: VirtualClock) => new AttachSpdy(conn, clock, options),
  ],
  [
    "websocket",
    webSocketFrame,
    (conn: ByteConn, clock: VirtualClock) =>
      new AttachWebSocket(conn, { clock, random: systemRandom }),
  ],
] as const;

for (const [by, frame, open] of KINDS) {
  Deno.test(`whatever a server sends by ${by}, the session ends with an error or a statement`, async () => {
    const frames = fc.array(frame, { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(frames, fc.integer({ min: 1, max: 400 }), async (sent, size) => {
        const clock = new VirtualClock();
        const bytes = Uint8Array.from(sent.flatMap((part) => [...part]));
        await endsCleanly(open(playing(bytes, size), clock));
        ok(clock.pending === 0, "no timer is left");
      }),
      { numRuns: 300 },
    );
  });
}

/** `receptorctl connect`: this terminal, or a pipe, becomes a client of a service in the mesh. */
import { type ByteConn, writeAll } from "../../base/byte_conn.ts";
import type { Ctl } from "../ctl.ts";

const BUFFER_BYTES = 64 * 1024;

interface ConnectOptions {
  node: string;
  service: string;
  raw: boolean;
  tlsClient: string;
}

/**
 * Ends when the service does. The end of a terminal's input also ends it, as in the original; the
 * end of a pipe is passed on as a half-close, so that the answer to it still arrives.
 */
export async function connect(ctl: Ctl, options: ConnectOptions): Promise<void> {
  const { node, terminal, input, signal } = ctl;
  using client = await node.lastUse();
  const { node: target, service, tlsClient } = options;
  const stream = await client.connectService(target, service, tlsClient, { signal });
  const close = () => client.close();
  signal.addEventListener("abort", close, { once: true });
  const interactive = input.isTerminal();
  const raw = options.raw && interactive;
  if (raw) input.setRaw(true);
  try {
    const received = copyOut(stream, ctl);
    const sent = copyIn(ctl, stream);
    // A service that no longer reads may still write; the end of its output is the end.
    const inputEnd = sent.catch(() => new Promise<void>(() => {}));
    await Promise.race(interactive ? [received, inputEnd] : [received]);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", close);
    if (raw) input.setRaw(false);
    if (interactive) await terminal.print();
  }
}

async function copyOut(stream: ByteConn, { terminal }: Ctl): Promise<void> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  for (let count; (count = await stream.read(buffer)) !== null;) {
    await terminal.write(buffer.subarray(0, count));
  }
}

async function copyIn({ input }: Ctl, stream: ByteConn): Promise<void> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  for (let count; (count = await input.read(buffer)) !== null;) {
    await writeAll(stream, buffer.subarray(0, count));
  }
  if (!input.isTerminal()) await stream.closeWrite();
}

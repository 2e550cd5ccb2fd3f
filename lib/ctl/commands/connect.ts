/** `receptorctl connect`: this terminal, or a pipe, becomes a client of a service in the mesh. */
import { type ByteConn, writeAll } from "../../base/byte_conn.ts";
import type { ControlClient } from "../../control/client.ts";
import {
  encodeTerminalFrame,
  isTerminalName,
  type TerminalFrame,
} from "../../wire/terminal_frames.ts";
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
  const { node, terminal, input, window, signal } = ctl;
  using client = await node.lastUse();
  const interactive = input.isTerminal();
  const raw = options.raw && interactive;
  const hasWindow = raw && window.size() !== undefined;
  const { stream, tellsWindow } = await open(client, options, { hasWindow, signal });
  const close = () => client.close();
  signal.addEventListener("abort", close, { once: true });
  if (raw) input.setRaw(true);
  try {
    const received = copyOut(stream, ctl);
    const sent = tellsWindow ? copyTerminal(ctl, stream) : copyIn(ctl, stream);
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

/** Offers to tell the size of the window, if it is to be that of the terminal at the other end. */
async function open(
  client: ControlClient,
  { node, service, tlsClient }: ConnectOptions,
  { hasWindow, signal }: { hasWindow: boolean; signal: AbortSignal },
): Promise<{ readonly stream: ByteConn; readonly tellsWindow: boolean }> {
  if (hasWindow) return await client.connectTerminal(node, service, tlsClient, { signal });
  const stream = await client.connectService(node, service, tlsClient, { signal });
  return { stream, tellsWindow: false };
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

/** As `copyIn`, and tells what terminal this is, and how large its window is and becomes. */
async function copyTerminal(
  { input, window, environment }: Ctl,
  stream: ByteConn,
): Promise<void> {
  let sent = Promise.resolve();
  // One frame after the other, whatever happens in between.
  const send = (frame: TerminalFrame) =>
    sent = sent.then(() => writeAll(stream, encodeTerminalFrame(frame)));
  const sendSize = async () => {
    const size = window.size();
    if (size !== undefined) await send({ kind: "window", ...size });
  };
  const name = environment("TERM") ?? "";
  if (isTerminalName(name)) await send({ kind: "terminal", name });
  // What fails here also fails for what is typed.
  using _resizing = window.onResize(() => void sendSize().catch(() => {}));
  await sendSize();
  const buffer = new Uint8Array(BUFFER_BYTES);
  for (let count; (count = await input.read(buffer)) !== null;) {
    await send({ kind: "typed", bytes: buffer.slice(0, count) });
  }
}

/** What a connection types on its terminal, and what it says about its window. */
import { abortable } from "../base/abortable.ts";
import type { ByteConn } from "../base/byte_conn.ts";
import { type TerminalFrame, TerminalFrameDecoder } from "../wire/terminal_frames.ts";
import type { WindowSize } from "./pseudo_terminal.ts";
import type { Incoming } from "./service.ts";

/** What comes in and is not yet typed is bounded by this, in bytes; so is one read. */
export const INPUT_BYTES = 64 * 1024;

/**
 * Yields what `conn` sends, whether it says more than what is typed (`tellsWindow`) or not. Ends when
 * its direction ends; throws if the connection is broken, or what it says makes no sense.
 */
async function* terminalInput(
  { conn, tellsWindow }: Pick<Incoming, "conn" | "tellsWindow">,
): AsyncGenerator<TerminalFrame, undefined> {
  const decoder = new TerminalFrameDecoder();
  for await (const bytes of chunks(conn)) {
    if (tellsWindow) yield* decoder.push(bytes);
    else yield { kind: "typed", bytes };
  }
  return undefined;
}

async function* chunks(conn: ByteConn): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const buffer = new Uint8Array(INPUT_BYTES);
  for (let count; (count = await conn.read(buffer)) !== null;) yield buffer.slice(0, count);
}

export interface TerminalBeginning {
  /** What the client has said before its window, if it has one. */
  readonly terminal?: string | undefined;
  readonly window?: WindowSize | undefined;
  /** All that comes after that. */
  readonly rest: AsyncIterable<TerminalFrame>;
}

/**
 * Waits until a client that has a window has told its size. Throws if the connection ends before, or
 * when `signal` aborts.
 */
export async function terminalBeginning(
  incoming: Pick<Incoming, "conn" | "tellsWindow">,
  signal: AbortSignal,
): Promise<TerminalBeginning> {
  const input = terminalInput(incoming);
  if (!incoming.tellsWindow) return { rest: input };
  let terminal: string | undefined;
  for (;;) {
    const { done, value: frame } = await abortable(input.next(), signal);
    if (done) throw new Error("the client has left");
    if (frame.kind === "window") return { terminal, window: frame, rest: input };
    if (frame.kind === "typed") throw new Error("the client types without a window");
    terminal = frame.name;
  }
}

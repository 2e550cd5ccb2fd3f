/**
 * Links without a network, for tests and for several nodes in one process: what one side sends, the
 * other receives, in order, and everything happens in microtasks.
 */
import { messagesIn } from "../wire/frame.ts";
import type { Backend, OnSession, Session } from "./backend.ts";

/** Bytes that may wait for the receiver before `send` waits too. */
const INBOX_BYTES = 256 * 1024;

/** Two connected sessions. Closing one ends both. */
export function memorySessionPair(names: [string, string] = ["a", "b"]): [Session, Session] {
  const toFirst = new Inbox();
  const toSecond = new Inbox();
  return [
    new MemorySession(`memory ${names[1]}`, toFirst, toSecond),
    new MemorySession(`memory ${names[0]}`, toSecond, toFirst),
  ];
}

/** A backend whose sessions are made elsewhere. */
export class MemoryBackend implements Backend {
  readonly description: string;
  #start: ((session: Session) => Promise<void>) | undefined;
  readonly #waiting: Session[] = [];

  constructor(name = "memory") {
    this.description = name;
  }

  /** Offers a session, now or as soon as the backend runs. */
  offer(session: Session): void {
    if (this.#start === undefined) this.#waiting.push(session);
    else void this.#start(session);
  }

  async run(onSession: OnSession, signal: AbortSignal): Promise<void> {
    const sessions = new Set<Promise<unknown>>();
    this.#start = async (session) => {
      const running = onSession(session).catch(() => {});
      sessions.add(running);
      await running;
      sessions.delete(running);
    };
    for (const session of this.#waiting.splice(0)) void this.#start(session);
    if (!signal.aborted) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    }
    this.#start = undefined;
    await Promise.allSettled(sessions);
  }
}

class MemorySession implements Session {
  readonly description: string;
  readonly #incoming: Inbox;
  readonly #outgoing: Inbox;

  constructor(description: string, incoming: Inbox, outgoing: Inbox) {
    this.description = description;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  receive(): Promise<readonly Uint8Array<ArrayBuffer>[] | null> {
    return this.#incoming.take();
  }

  async send(frames: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#outgoing.closed) throw new Error(`${this.description} is closed`);
    await this.#outgoing.put(frames);
  }

  close(): void {
    this.#incoming.close({ discard: true });
    this.#outgoing.close({ discard: false });
  }
}

/** What is on its way in one direction. */
class Inbox {
  closed = false;
  #messages: Uint8Array<ArrayBuffer>[] = [];
  #bytes = 0;
  #wakeReceiver: (() => void) | undefined;
  #wakeSenders: (() => void)[] = [];

  async put(frames: Uint8Array<ArrayBuffer>): Promise<void> {
    // One copy of the whole batch: the sender may reuse its buffer.
    this.#messages.push(...messagesIn(frames.slice()));
    this.#bytes += frames.length;
    this.#wakeReceiver?.();
    while (this.#bytes > INBOX_BYTES && !this.closed) {
      await new Promise<void>((resolve) => this.#wakeSenders.push(resolve));
    }
  }

  async take(): Promise<Uint8Array<ArrayBuffer>[] | null> {
    while (this.#messages.length === 0) {
      if (this.closed) return null;
      await new Promise<void>((resolve) => this.#wakeReceiver = resolve);
    }
    const messages = this.#messages;
    this.#messages = [];
    this.#bytes = 0;
    this.#wakeAllSenders();
    return messages;
  }

  close({ discard }: { discard: boolean }): void {
    this.closed = true;
    if (discard) this.#messages = [];
    this.#wakeReceiver?.();
    this.#wakeAllSenders();
  }

  #wakeAllSenders(): void {
    for (const wake of this.#wakeSenders.splice(0)) wake();
  }
}

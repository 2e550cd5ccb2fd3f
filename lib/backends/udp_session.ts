/** A session over UDP: each message is a datagram, which may get lost. */
import type { Log } from "../base/log.ts";
import { messagesIn } from "../wire/frame.ts";
import type { Session } from "./backend.ts";
import { formatHostPort, type HostPort } from "./host_port.ts";
import { MAX_DATAGRAM_BYTES, type UdpSocket } from "./udp_socket.ts";

/**
 * Bytes that may wait for the receiver; anything more is dropped. A turn of the event loop brings
 * at most 128 datagrams, which are 2 MiB at the MTU of the mesh.
 */
export const MAX_QUEUED_BYTES = 4 * 1024 * 1024;
/** What a waiting datagram costs in addition to its bytes. */
const DATAGRAM_OVERHEAD_BYTES = 128;

export interface UdpSessionOptions {
  readonly socket: Pick<UdpSocket, "send">;
  readonly remote: HostPort;
  readonly log: Log;
  /** Whether `remote` comes from datagrams to a listener, where anybody can forge it. */
  readonly accepted?: boolean | undefined;
  /** Called once, when the session is closed. */
  readonly onClose: () => void;
}

export class UdpSession implements Session {
  readonly description: string;
  readonly acceptedFrom: string | undefined;
  /** See `Session`; only on an accepted session. */
  readonly confirmAddress?: () => void;
  readonly #options: UdpSessionOptions;
  #messages: Uint8Array<ArrayBuffer>[] = [];
  #queuedBytes = 0;
  #received = 0;
  /**
   * Bytes that may still be sent. Until the address is confirmed, no more than have arrived:
   * otherwise an attacker's small datagrams would become many large ones for a victim.
   */
  #credit = Infinity;
  #droppedIn = 0;
  #droppedOut = 0;
  #closed = false;
  #wakeReceiver = () => {};

  constructor(options: UdpSessionOptions) {
    this.#options = options;
    this.description = `udp ${formatHostPort(options.remote)}`;
    if (!options.accepted) return;
    this.acceptedFrom = options.remote.host;
    this.#credit = 0;
    this.confirmAddress = () => this.#credit = Infinity;
  }

  /** Datagrams that the neighbour has sent so far. */
  get received(): number {
    return this.#received;
  }

  /** Datagrams that were dropped because nobody took them. */
  get droppedIn(): number {
    return this.#droppedIn;
  }

  /** Messages that were too long, or that the system did not accept. */
  get droppedOut(): number {
    return this.#droppedOut;
  }

  /** Takes a datagram from the neighbour. */
  put(datagram: Uint8Array<ArrayBuffer>): void {
    this.#received++;
    this.#credit += datagram.length;
    const cost = datagram.length + DATAGRAM_OVERHEAD_BYTES;
    if (this.#closed || this.#queuedBytes + cost > MAX_QUEUED_BYTES) {
      this.#droppedIn++;
      return;
    }
    this.#queuedBytes += cost;
    this.#messages.push(datagram);
    // Whatever else arrives in this turn of the event loop goes into the same batch.
    if (this.#messages.length === 1) setImmediate(() => this.#wakeReceiver());
  }

  async receive(): Promise<readonly Uint8Array<ArrayBuffer>[] | null> {
    while (this.#messages.length === 0) {
      if (this.#closed) return null;
      await new Promise<void>((resolve) => this.#wakeReceiver = resolve);
    }
    const messages = this.#messages;
    this.#messages = [];
    this.#queuedBytes = 0;
    return messages;
  }

  /** Never rejects because of losses on the way: those are made up for above. */
  async send(frames: Uint8Array<ArrayBuffer>): Promise<void> {
    const { socket, remote } = this.#options;
    for (const message of messagesIn(frames)) {
      if (this.#closed) throw new Error(`${this.description} is closed`);
      // Dropped silently, since it is sent again until the address is confirmed.
      if (message.length > this.#credit) continue;
      this.#credit -= message.length;
      // One after the other: sent all at once, they would overtake each other on a busy system.
      if (!await socket.send(message, remote)) this.#drop(message);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#messages = [];
    this.#wakeReceiver();
    this.#options.onClose();
  }

  #drop(message: Uint8Array): void {
    // Only one line per session: otherwise there would be one for each message.
    if (this.#droppedOut++ > 0 || this.#closed) return;
    const reason = message.length > MAX_DATAGRAM_BYTES
      ? `a message of ${message.length} bytes does not fit into a datagram`
      : `the system did not take a datagram of ${message.length} bytes`;
    this.#options.log.warning(`${this.description}: ${reason}; further ones are only counted`);
  }
}

/** A session over UDP: each message is a datagram, which may get lost. */
import type { Log } from "../base/log.ts";
import { messagesIn } from "../wire/frame.ts";
import type { Session } from "./backend.ts";
import { formatHostPort, type HostPort } from "./host_port.ts";
import { MAX_DATAGRAM_BYTES, type UdpSocket } from "./udp_socket.ts";

/**
 * Bytes that may wait for the receiver; what comes on top is dropped. A turn of the event loop
 * brings 128 datagrams at most, which are 2 MiB at the MTU of the mesh.
 */
export const MAX_QUEUED_BYTES = 4 * 1024 * 1024;
/** What a waiting datagram costs beside its bytes. */
const DATAGRAM_OVERHEAD_BYTES = 128;

export interface UdpSessionOptions {
  readonly socket: Pick<UdpSocket, "send">;
  readonly remote: HostPort;
  readonly log: Log;
  /** Whether `remote` is what datagrams to a listener said, which anybody can forge. */
  readonly accepted?: boolean | undefined;
  /** Called once, when it is closed. */
  readonly onClose: () => void;
}

export class UdpSession implements Session {
  readonly description: string;
  readonly acceptedFrom: string | undefined;
  /** See `Session`; only on one that was accepted. */
  readonly confirmAddress?: () => void;
  readonly #options: UdpSessionOptions;
  #messages: Uint8Array<ArrayBuffer>[] = [];
  #queuedBytes = 0;
  #received = 0;
  /**
   * Bytes that may still be sent. Until the address is confirmed they are no more than came, or
   * the node would turn the small datagrams of somebody else into many large ones for a victim.
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

  /** Datagrams that the neighbour sent so far. */
  get received(): number {
    return this.#received;
  }

  /** Datagrams that were dropped because nobody took them. */
  get droppedIn(): number {
    return this.#droppedIn;
  }

  /** Messages that were too long, or that the system did not take. */
  get droppedOut(): number {
    return this.#droppedOut;
  }

  /** Takes what came from the neighbour. */
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
    // What else comes in this turn of the event loop goes into the same batch.
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

  /** Never rejects for what happens on the way: that is up to whoever sends it again. */
  async send(frames: Uint8Array<ArrayBuffer>): Promise<void> {
    const { socket, remote } = this.#options;
    for (const message of messagesIn(frames)) {
      if (this.#closed) throw new Error(`${this.description} is closed`);
      // Lost without a word, since it is sent again until the address is confirmed.
      if (message.length > this.#credit) continue;
      this.#credit -= message.length;
      // One after the other: all at once they would overtake each other when the system is busy.
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
    // One line a session: it would be one for each message.
    if (this.#droppedOut++ > 0 || this.#closed) return;
    const reason = message.length > MAX_DATAGRAM_BYTES
      ? `a message of ${message.length} bytes does not fit into a datagram`
      : `the system did not take a datagram of ${message.length} bytes`;
    this.#options.log.warning(`${this.description}: ${reason}; further ones are only counted`);
  }
}

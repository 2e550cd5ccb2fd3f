/** A neighbour made of a bare TCP connection: it can say anything, and does nothing by itself. */
import { concatBytes } from "../../lib/base/concat_bytes.ts";
import {
  DESTINATION_SERVICE_AT,
  encodePacketHeader,
  MAX_HOPS,
  PACKET_HEADER_BYTES,
  packetService,
  serviceFromText,
} from "../../lib/wire/data_packet.ts";
import { MAX_MESSAGE_BYTES } from "../../lib/wire/frame.ts";
import { MessageType } from "../../lib/wire/message_type.ts";
import { hashNodeId } from "../../lib/wire/node_id.ts";
import { encodeRouteMessage, type RouteMessage } from "../../lib/wire/route_message.ts";

const PROBE = "probe";
const RETRY_MS = 100;
const LINK_COST = 1;

export class RawLink implements Disposable {
  readonly #conn: Deno.TcpConn;
  readonly #reading: Promise<void>;
  readonly #victim: string;
  #probes = 0;
  #awaited = { service: "", answered: false };
  #arrived = Promise.withResolvers<void>();
  #ended = false;
  #sequence = 0n;
  readonly nodeId: string;

  private constructor(conn: Deno.TcpConn, nodeId: string, victim: string) {
    this.#conn = conn;
    this.nodeId = nodeId;
    this.#victim = victim;
    this.#reading = this.#read();
  }

  /** Connects to a loopback port, and says nothing yet. `victim` is the node there. */
  static async connect(port: number, nodeId: string, victim: string): Promise<RawLink> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay();
    return new RawLink(conn, nodeId, victim);
  }

  /** A link that is up. */
  static async up(port: number, nodeId: string, victim: string): Promise<RawLink> {
    const link = await RawLink.connect(port, nodeId, victim);
    await link.introduce();
    if (!await link.answers()) throw new Error(`${victim} did not take ${nodeId} as a neighbour`);
    return link;
  }

  /** Whether the node still holds the connection. */
  get alive(): boolean {
    return !this.#ended;
  }

  /** Says who we are, as a neighbour should. */
  introduce(): Promise<void> {
    return this.send(encodeRouteMessage(this.route()));
  }

  /** A valid route message of ours, with the changes in `changed`. */
  route(changed: Partial<RouteMessage> = {}): RouteMessage {
    return {
      nodeId: this.nodeId,
      updateId: crypto.randomUUID().slice(0, 8),
      epoch: BigInt(Math.floor(Date.now() / 1000)) << 24n,
      sequence: ++this.#sequence,
      connections: new Map([[this.#victim, LINK_COST]]),
      forwardingNode: this.nodeId,
      suspectedDuplicate: 0n,
      ...changed,
    };
  }

  /** A data packet from us to a service of the victim. */
  packet(service: string, payload: Uint8Array, from = PROBE, hops = MAX_HOPS): Uint8Array {
    const header = encodePacketHeader({
      sourceNode: hashNodeId(this.nodeId),
      destinationNode: hashNodeId(this.#victim),
      sourceService: serviceFromText(from)!,
      destinationService: serviceFromText(service)!,
    }, hops);
    return concatBytes(header, payload);
  }

  /** Sends one message in its frame. Nothing happens on a connection that has ended. */
  async send(...messages: Uint8Array[]): Promise<void> {
    await this.write(concatBytes(...messages.flatMap((message) => {
      const { length } = message;
      if (length > MAX_MESSAGE_BYTES) throw new RangeError(`${length} bytes fit into no frame`);
      return [Uint8Array.of(length & 0xff, length >> 8), message];
    })));
  }

  /** Sends bytes as they are. */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
    } catch {
      this.#end();
    }
  }

  /** Half-closes the connection, perhaps in the middle of a frame. */
  async closeWrite(): Promise<void> {
    await this.#conn.closeWrite().catch(() => {});
  }

  /**
   * Pings the node over this link. Resolves to true with the answer, which shows that the node has
   * handled everything sent before, and to false once it has closed the connection.
   */
  async answers(): Promise<boolean> {
    const service = `p${++this.#probes}`;
    const ping = this.packet("ping", new Uint8Array(), service);
    this.#awaited = { service, answered: false };
    while (!this.#ended) {
      const arrived = this.#arrived.promise;
      await this.send(ping);
      if (this.#awaited.answered) return true;
      // Sent repeatedly, since one that comes before the node knows us is dropped.
      let timer: ReturnType<typeof setTimeout> | undefined;
      await Promise.race([
        arrived,
        new Promise((resolve) => timer = setTimeout(resolve, RETRY_MS)),
      ]);
      clearTimeout(timer);
      if (this.#awaited.answered) return true;
    }
    return false;
  }

  /** Resolves when the node has closed the connection. */
  closed(): Promise<void> {
    return this.#reading;
  }

  [Symbol.dispose](): void {
    this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#arrived.resolve();
    try {
      this.#conn.close();
    } catch {
      // Already closed.
    }
  }

  #take(message: Uint8Array): void {
    if (message[0] !== MessageType.Data || message.length < PACKET_HEADER_BYTES) return;
    const service = packetService(message, DESTINATION_SERVICE_AT);
    if (service === this.#awaited.service) this.#awaited.answered = true;
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    let rest = new Uint8Array();
    try {
      for (let count; (count = await this.#conn.read(buffer)) !== null;) {
        const bytes = concatBytes(rest, buffer.subarray(0, count));
        let at = 0;
        while (at + 2 <= bytes.length) {
          const length = bytes[at]! | bytes[at + 1]! << 8;
          if (at + 2 + length > bytes.length) break;
          this.#take(bytes.subarray(at + 2, at + 2 + length));
          at += 2 + length;
        }
        rest = bytes.slice(at);
        this.#arrived.resolve();
        this.#arrived = Promise.withResolvers();
      }
    } catch {
      // Reset, or closed by us.
    }
    this.#end();
  }
}

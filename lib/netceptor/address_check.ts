/**
 * Whether a neighbour is where its datagrams seem to come from. Anybody can forge the address of a
 * datagram: a node that sent long answers would flood a victim on an attacker's behalf, and one
 * that accepted every address as a neighbour would soon have no room for real ones.
 *
 * So such a session becomes a link only once its neighbour has answered a ping from a service with
 * a random name. Until then it gets no more bytes than it sent: the shortest possible introduction,
 * and pings. What it says meanwhile is kept for the link.
 */
import type { Session } from "../backends/backend.ts";
import type { Clock } from "../base/clock.ts";
import {
  DESTINATION_NODE_AT,
  DESTINATION_SERVICE_AT,
  encodePacketHeader,
  MAX_HOPS,
  PACKET_HEADER_BYTES,
  packetInt32,
  packetService,
  type Service,
  SOURCE_NODE_AT,
} from "../wire/data_packet.ts";
import { frameOf } from "../wire/frame.ts";
import { MalformedMessage } from "../wire/json_fields.ts";
import { MessageType } from "../wire/message_type.ts";
import { hashNodeId, type NodeHash } from "../wire/node_id.ts";
import { decodeRouteMessage, encodeIntroduction } from "../wire/route_message.ts";
import type { DropLog } from "./drop_log.ts";
import {
  ADDRESS_CHECK_INTERVAL_MS,
  MAX_HELD_BYTES,
  SETUP_INTERVAL_MS,
  SETUP_MESSAGES,
} from "./limits.ts";
import { PING_SERVICE } from "./packet_switch.ts";
import type { ServiceRegistry } from "./service_registry.ts";

export interface AddressCheckDeps {
  readonly selfId: string;
  readonly clock: Clock;
  readonly drops: DropLog;
  readonly services: ServiceRegistry;
}

/**
 * Resolves to a session with everything that the neighbour said, once it has shown that it is
 * there; to undefined if it does not, or the session is closed. Never rejects.
 */
export async function checkAddress(
  deps: AddressCheckDeps,
  session: Session,
): Promise<Session | undefined> {
  using check = new AddressCheck(deps, session);
  return await check.run().catch(() => undefined);
}

interface Neighbour {
  readonly nodeId: string;
  readonly hash: NodeHash;
}

/** How often to ask the neighbour in all, and between two introductions. */
const MAX_ATTEMPTS = SETUP_MESSAGES * SETUP_INTERVAL_MS / ADDRESS_CHECK_INTERVAL_MS;
const ATTEMPTS_PER_INTRODUCTION = SETUP_INTERVAL_MS / ADDRESS_CHECK_INTERVAL_MS;
class AddressCheck implements Disposable {
  readonly #deps: AddressCheckDeps;
  readonly #session: Session;
  readonly #self: NodeHash;
  /** The service to which the answer is sent, which only the receiver of a ping can know. */
  readonly #registration: { readonly service: Service } & Disposable;
  /** Resolves with the answer. */
  readonly #answer = Promise.withResolvers<"answered">();
  #answered = false;
  #neighbour: Neighbour | undefined;
  #attempts = 0;
  #timer: Disposable | undefined;
  readonly #held: Uint8Array<ArrayBuffer>[] = [];
  #heldBytes = 0;
  /** Settles when everything is sent; never rejects. */
  #sent: Promise<unknown> = Promise.resolve();

  constructor(deps: AddressCheckDeps, session: Session) {
    this.#deps = deps;
    this.#session = session;
    this.#self = hashNodeId(deps.selfId);
    // The shortest way back may lead over other links of ours.
    this.#registration = deps.services.register("", {
      receive: (_packet, from) => this.#hear(from.id),
      // A firewall that rejects pings has also received this one.
      unreachable: (_notice, reporter) => this.#hear(reporter),
    });
  }

  async run(): Promise<Session | undefined> {
    this.#schedule();
    for (;;) {
      const receiving = this.#session.receive();
      const messages = await Promise.race([receiving, this.#answer.promise]);
      if (messages === null) return undefined;
      if (messages !== "answered") {
        for (const message of messages) this.#take(message);
        if (!this.#answered) continue;
      }
      await this.#sent;
      this.#session.confirmAddress?.();
      const rest = messages === "answered" ? receiving : undefined;
      return new CheckedSession(this.#session, this.#held, rest);
    }
  }

  [Symbol.dispose](): void {
    this.#registration[Symbol.dispose]();
    this.#timer?.[Symbol.dispose]();
  }

  #take(message: Uint8Array<ArrayBuffer>): void {
    if (message[0] === MessageType.Data) {
      if (this.#isAnswer(message)) this.#hear(this.#neighbour!.nodeId);
      return;
    }
    if (this.#heldBytes + message.length <= MAX_HELD_BYTES) {
      this.#heldBytes += message.length;
      this.#held.push(message.slice());
    }
    if (message[0] !== MessageType.Route) return;
    if (this.#neighbour !== undefined) return this.#ask({ introduce: false, ping: true });
    try {
      const { forwardingNode } = decodeRouteMessage(message);
      this.#neighbour = { nodeId: forwardingNode, hash: hashNodeId(forwardingNode) };
      this.#ask({ introduce: true, ping: false });
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      this.#deps.drops.count("Error unpacking routing update", error.message);
    }
  }

  #isAnswer(packet: Uint8Array): boolean {
    const neighbour = this.#neighbour;
    return neighbour !== undefined && packet.length >= PACKET_HEADER_BYTES &&
      hasHash(packet, SOURCE_NODE_AT, neighbour.hash) &&
      hasHash(packet, DESTINATION_NODE_AT, this.#self) &&
      packetService(packet, DESTINATION_SERVICE_AT) === this.#registration.service;
  }

  #hear(from: string): void {
    if (from !== this.#neighbour?.nodeId) return;
    this.#answered = true;
    this.#answer.resolve("answered");
  }

  #schedule(): void {
    this.#timer = this.#deps.clock.after(ADDRESS_CHECK_INTERVAL_MS, () => {
      if (++this.#attempts >= MAX_ATTEMPTS) return this.#session.close();
      if (this.#neighbour !== undefined) {
        this.#ask({ introduce: this.#attempts % ATTEMPTS_PER_INTRODUCTION === 0, ping: true });
      }
      this.#schedule();
    });
  }

  /** Whatever the session has no credit for is lost, and sent again later. */
  #ask({ introduce, ping }: { readonly introduce: boolean; readonly ping: boolean }): void {
    if (introduce) this.#send(encodeIntroduction(this.#deps.selfId));
    if (!ping) return;
    this.#send(encodePacketHeader({
      sourceNode: this.#self,
      destinationNode: this.#neighbour!.hash,
      sourceService: this.#registration.service,
      destinationService: PING_SERVICE,
    }, MAX_HOPS));
  }

  #send(message: Uint8Array): void {
    this.#sent = this.#sent.then(() => this.#session.send(frameOf(message))).catch(() => {});
  }
}

function hasHash(packet: Uint8Array, at: number, { high, low }: NodeHash): boolean {
  return packetInt32(packet, at) === (high | 0) && packetInt32(packet, at + 4) === (low | 0);
}

/** The session, continued with what was kept. */
class CheckedSession implements Session {
  readonly description: string;
  readonly acceptedFrom: string | undefined;
  readonly #session: Session;
  #kept: readonly Uint8Array<ArrayBuffer>[];
  #receiving: ReturnType<Session["receive"]> | undefined;

  /** `receiving` is a pending call of `receive`. */
  constructor(
    session: Session,
    kept: readonly Uint8Array<ArrayBuffer>[],
    receiving: ReturnType<Session["receive"]> | undefined,
  ) {
    this.description = session.description;
    this.acceptedFrom = session.acceptedFrom;
    this.#session = session;
    this.#kept = kept;
    this.#receiving = receiving;
  }

  receive(): Promise<readonly Uint8Array<ArrayBuffer>[] | null> {
    if (this.#kept.length > 0) {
      const kept = this.#kept;
      this.#kept = [];
      return Promise.resolve(kept);
    }
    const receiving = this.#receiving ?? this.#session.receive();
    this.#receiving = undefined;
    return receiving;
  }

  send(frames: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#session.send(frames);
  }

  close(): void {
    this.#session.close();
  }
}

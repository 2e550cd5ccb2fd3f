/** One link to a neighbour: a session of a backend, from set-up to its end. */
import type { LinkPolicy, Session } from "../backends/backend.ts";
import { networkOf } from "../backends/network_of.ts";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/error_message.ts";
import type { Log } from "../base/log.ts";
import { MAX_MESSAGE_BYTES } from "../wire/frame.ts";
import { MalformedMessage } from "../wire/json_fields.ts";
import { encodeReject, MessageType } from "../wire/message_type.ts";
import { decodeRouteMessage, type RouteMessage } from "../wire/route_message.ts";
import type { DropLog } from "./drop_log.ts";
import { REJECT_LINGER_MS, SETUP_INTERVAL_MS, SETUP_MESSAGES } from "./limits.ts";
import type { BusyTurns } from "./busy_turns.ts";
import type { GuestHost } from "./guest_hosts.ts";
import { LinkQueue } from "./link_queue.ts";
import { decideRoute, type LinkPhase } from "./link_setup.ts";
import type { NextHop } from "./node_table.ts";

/** After how many packets of a batch to see whether the link has been busy for too long. */
const PACKETS_PER_CHECK = 4;

/** One end refuses the link. */
export interface Refusal {
  readonly by: "us" | "neighbour";
  /** Node id; "" if it is not known yet. */
  readonly remoteNode: string;
  /** For people. */
  readonly reason: string;
}

/** What a link needs from its node. */
export interface LinkHost {
  readonly selfId: string;
  /** A new route message that says who we are. */
  introduce(): Uint8Array;
  /** Whether another link to this node is up. */
  isLinked(nodeId: string): boolean;
  /**
   * Whether `link`, with this node and cost, fits into our route message. Others may be closed for
   * it.
   */
  hasRoomFor(link: Link, nodeId: string, cost: number): boolean;
  /** The neighbour is known and accepted. */
  linkUp(link: Link): void;
  /** The end of a link that was up; `reason` is for people. */
  linkDown(link: Link, reason: string): void;
  refused(link: Link, refusal: Refusal): void;
  linkWritable(link: Link): void;
  /** A data packet: a view that is valid during the call and may be modified. */
  receivePacket(packet: Uint8Array<ArrayBuffer>, link: Link): void;
  receiveRoute(message: RouteMessage, link: Link): void;
  receiveAdvertisement(message: Uint8Array<ArrayBuffer>, link: Link): void;
}

export interface LinkDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly drops: DropLog;
  readonly host: LinkHost;
  /** Shared by all links. */
  readonly turns: BusyTurns;
  /** Shared by all links from one host; undefined for one that we dialled. */
  readonly guest?: GuestHost | undefined;
}

/** Ends a link; the message is what the original logs. */
class LinkError extends Error {
  override readonly name = "LinkError";
}

export class Link implements NextHop {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #drops: DropLog;
  readonly #host: LinkHost;
  readonly #turns: BusyTurns;
  /** Links that we dialled ourselves wait for turns on their own account. */
  readonly #turnOwner: string;
  readonly #session: Session;
  readonly #policy: LinkPolicy;
  readonly #queue: LinkQueue;
  /** See `LinkDeps`. */
  readonly guest: GuestHost | undefined;
  #phase: LinkPhase = { kind: "unidentified" };
  #setupTimer: Disposable | undefined;
  #lastReceivedMs: number;
  #waitsForTurn = false;
  #upSinceMs = 0;
  /** The node has been told that the link is up, but not yet that it is down. */
  #announced = false;
  #ended = false;

  constructor(deps: LinkDeps, session: Session, policy: LinkPolicy) {
    this.#log = deps.log;
    this.#clock = deps.clock;
    this.#drops = deps.drops;
    this.#host = deps.host;
    this.#turns = deps.turns;
    const { acceptedFrom, description } = session;
    this.#turnOwner = acceptedFrom === undefined ? `to ${description}` : networkOf(acceptedFrom);
    this.#session = session;
    this.#policy = policy;
    this.guest = deps.guest;
    this.#lastReceivedMs = deps.clock.now();
    this.#queue = new LinkQueue({
      send: (frames) => session.send(frames),
      onError: (error) => this.#onSendError(error),
      onWritable: () => this.#host.linkWritable(this),
    }, deps.guest);
  }

  /** Node id of the neighbour; "" until it has said what it is. */
  get remoteNode(): string {
    return this.#phase.kind === "up" ? this.#phase.remoteNode : "";
  }

  get cost(): number {
    return this.#phase.kind === "up" ? this.#phase.cost : this.#policy.cost;
  }

  /** What the link runs over, as its backend describes it. */
  get description(): string {
    return this.#session.description;
  }

  /** See `Session`. */
  get acceptedFrom(): string | undefined {
    return this.#session.acceptedFrom;
  }

  /** Milliseconds since it came up. */
  get upMs(): number {
    return this.#clock.now() - this.#upSinceMs;
  }

  get writable(): boolean {
    return this.#queue.writable;
  }

  /** Messages for which the queue had no room. */
  get dropped(): { readonly data: number; readonly control: number } {
    return this.#queue.dropped;
  }

  /** Milliseconds since anything was received; 0 while there is more than it may handle now. */
  get idleMs(): number {
    return this.#waitsForTurn ? 0 : this.#clock.now() - this.#lastReceivedMs;
  }

  sendData(head: Uint8Array, tail?: Uint8Array): boolean {
    return this.#queue.sendData(head, tail);
  }

  sendControl(message: Uint8Array): boolean {
    return this.#queue.sendControl(message);
  }

  /** Resolves when everything queued so far is sent or given up. */
  drained(): Promise<void> {
    return this.#queue.drained();
  }

  /**
   * Runs the link to its end, which `close` brings about. Never rejects. A link counts as
   * established once the neighbour lists us: one that it refuses never gets there. `introduced`:
   * the neighbour already knows who we are.
   */
  async run({ introduced = false } = {}): Promise<{ established: boolean }> {
    if (!introduced) this.#introduce(1);
    let reason = "the neighbour closed the connection";
    try {
      await this.#receive();
    } catch (error) {
      if (error instanceof LinkError) {
        reason = error.message;
        this.#log.error(`Backend error: ${reason}`, this.#fields);
      } else if (!this.#ended) {
        reason = this.#describe(error);
        this.#log.error(`Backend receiving error ${reason}`, this.#fields);
      }
    }
    this.close(reason);
    return { established: this.#phase.kind === "up" && this.#phase.listsUs };
  }

  /** Ends the link now; `reason` is for people. */
  close(reason = "closed by this node"): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#setupTimer?.[Symbol.dispose]();
    this.#queue.close();
    this.#session.close();
    this.#withdraw(reason);
  }

  get #fields(): Record<string, unknown> {
    const { remoteNode } = this;
    return remoteNode === "" ? {} : { remote_id: remoteNode };
  }

  /** Says who we are, repeatedly until the neighbour says who it is. */
  #introduce(attempt: number): void {
    if (this.#phase.kind === "up" || this.#ended) return;
    if (attempt > SETUP_MESSAGES) {
      this.#log.warning("Giving up on connection initialization");
      this.close();
      return;
    }
    this.#log.debug("Sending initial connection message");
    this.#queue.sendControl(this.#host.introduce());
    this.#setupTimer = this.#clock.after(SETUP_INTERVAL_MS, () => this.#introduce(attempt + 1));
  }

  async #receive(): Promise<void> {
    for (;;) {
      const messages = await this.#session.receive();
      if (messages === null || this.#ended) return;
      let startMs = this.#lastReceivedMs = this.#clock.now();
      for (const [index, message] of messages.entries()) {
        const isPacket = message[0] === MessageType.Data && this.#phase.kind === "up";
        if (isPacket) {
          this.#host.receivePacket(message, this);
        } else {
          const refusal = this.#receiveControl(message);
          if (refusal !== undefined) {
            await this.#refuse(refusal);
            throw refusal;
          }
        }
        if (this.#ended) return;
        // A packet takes less time than looking at the clock for it should.
        if (isPacket && index % PACKETS_PER_CHECK !== 0) continue;
        const busyMs = this.#clock.now() - startMs;
        if (!this.#turns.isOver(busyMs)) continue;
        // There may be thousands of messages in a batch, and the next one is often there already.
        this.#turns.spend(busyMs);
        this.#waitsForTurn = true;
        await this.#turns.next(this.#turnOwner);
        this.#waitsForTurn = false;
        if (this.#ended) return;
        startMs = this.#lastReceivedMs = this.#clock.now();
      }
      this.#turns.spend(this.#clock.now() - startMs);
    }
  }

  /**
   * Handles anything but data on a link that is up. Returns why to refuse the neighbour, if it
   * should be.
   */
  #receiveControl(message: Uint8Array<ArrayBuffer>): LinkError | undefined {
    if (message.length > MAX_MESSAGE_BYTES) {
      this.#drops.count("message of more than 65535 bytes dropped", "", this.remoteNode);
      return undefined;
    }
    switch (message[0]) {
      case MessageType.Route:
        return this.#receiveRoute(message);
      case MessageType.Advertisement:
        if (this.#phase.kind === "up") this.#host.receiveAdvertisement(message, this);
        return undefined;
      case MessageType.Reject:
        this.#log.warning("Received a rejection message from peer.", this.#fields);
        this.#host.refused(this, {
          by: "neighbour",
          remoteNode: this.remoteNode,
          reason: "the neighbour sent a reject message",
        });
        throw new LinkError("remote node rejected the connection");
      case MessageType.Data:
        // Data may overtake the neighbour's introduction; QUIC resends it.
        return undefined;
      default:
        this.#drops.count("Unknown message type", String(message[0]), this.remoteNode);
        return undefined;
    }
  }

  #receiveRoute(message: Uint8Array): LinkError | undefined {
    let route: RouteMessage;
    try {
      route = decodeRouteMessage(message);
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      this.#drops.count("Error unpacking routing update", error.message, this.remoteNode);
      return undefined;
    }
    const { selfId } = this.#host;
    const decision = decideRoute(this.#phase, route, {
      selfId,
      policy: this.#policy,
      certifiedNodes: this.#session.certifiedNodes ?? [],
      isLinked: (nodeId) => this.#host.isLinked(nodeId),
      hasRoomFor: (nodeId, cost) => this.#host.hasRoomFor(this, nodeId, cost),
    });
    switch (decision.kind) {
      case "reject": {
        const { remoteNode, reason } = decision;
        this.#host.refused(this, { by: "us", remoteNode, reason });
        return new LinkError(
          `${selfId}: rejected connection with node ${remoteNode} because ${reason}`,
        );
      }
      case "establish":
        this.#phase = decision.phase;
        this.#setupTimer?.[Symbol.dispose]();
        this.#log.info(`Connection established with ${this.remoteNode}`, this.#fields);
        this.#log.debug("Stopping initial updates", this.#fields);
        this.#announced = true;
        this.#upSinceMs = this.#clock.now();
        this.#host.linkUp(this);
        return undefined;
      case "process":
        this.#phase = decision.phase;
        this.#host.receiveRoute(route, this);
        return undefined;
      case "ignore":
        return undefined;
    }
  }

  /** Sends a reject message and gives the neighbour a moment to receive it. */
  async #refuse({ message }: LinkError): Promise<void> {
    this.#withdraw(message);
    this.#queue.sendControl(encodeReject());
    const { promise: lingered, resolve } = Promise.withResolvers<void>();
    using _timer = this.#clock.after(REJECT_LINGER_MS, resolve);
    await Promise.race([this.#queue.drained(), lingered]);
  }

  #withdraw(reason: string): void {
    if (!this.#announced) return;
    this.#announced = false;
    this.#host.linkDown(this, reason);
  }

  #onSendError(error: unknown): void {
    if (this.#ended) return;
    const reason = this.#describe(error);
    this.#log.error(`Backend sending error ${reason}`, this.#fields);
    this.close(reason);
  }

  /** Describes an error of the session; the runtime's errors do not say which session it is. */
  #describe(error: unknown): string {
    const message = messageOf(error);
    const { description } = this.#session;
    return message.includes(description) ? message : `${description}: ${message}`;
  }
}

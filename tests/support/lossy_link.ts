/** A UDP link that loses, repeats and reorders datagrams, with a seed that a test can replay. */
import { createSocket, type Socket } from "node:dgram";
import { seededRandom } from "../sim/seeded_random.ts";

/** Proportions of the datagrams, 0 to 1, by what happens to them. */
export interface Faults {
  lost: number;
  /** Sent twice. */
  repeated: number;
  /** Held back until `HOLD_DATAGRAMS` later ones have passed, or for `HOLD_MS`. */
  late: number;
}

export interface LossyLinkOptions extends Faults {
  /** Loopback port of the listening node. */
  target: number;
  seed: number;
}

const HOLD_DATAGRAMS = 3;
const HOLD_MS = 20;

/** Carries datagrams between one dialler and one listener on loopback. */
export class LossyLink implements AsyncDisposable {
  /** What has happened so far, in datagrams. */
  readonly counts = { carried: 0, lost: 0, repeated: 0, late: 0 };
  readonly #near: Socket;
  readonly #far: Socket;
  readonly #faults: Faults;
  readonly #chance: () => number;
  readonly #flushes = new Set<() => void>();
  /** The dialler's port, once it has sent something. */
  #dialler = 0;

  private constructor(near: Socket, far: Socket, { target, seed, ...faults }: LossyLinkOptions) {
    this.#near = near;
    this.#far = far;
    this.#faults = faults;
    const random = seededRandom(seed);
    const word = new Uint8Array(4);
    this.#chance = () => new DataView(random.fill(word).buffer).getUint32(0) / 2 ** 32;
    const toFar = this.#direction((datagram) => far.send(datagram, target, "127.0.0.1"));
    const toNear = this.#direction((datagram) => near.send(datagram, this.#dialler, "127.0.0.1"));
    near.on("message", (datagram, { port }) => {
      this.#dialler = port;
      toFar(datagram);
    });
    far.on("message", toNear);
  }

  static async start(options: LossyLinkOptions): Promise<LossyLink> {
    const [near, far] = await Promise.all([bound(), bound()]);
    return new LossyLink(near, far, options);
  }

  /** Where the dialling node must send to. */
  get port(): number {
    return this.#near.address().port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const flush of this.#flushes) flush();
    await Promise.all(
      [this.#near, this.#far].map((socket) =>
        new Promise<void>((resolve) => socket.close(() => resolve()))
      ),
    );
  }

  /** Decides what happens to the datagrams of one direction. */
  #direction(send: (datagram: Uint8Array) => void): (datagram: Uint8Array) => void {
    let held: { datagram: Uint8Array; passed: number }[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const flush = () => {
      clearTimeout(timer);
      timer = undefined;
      for (const { datagram } of held.splice(0)) send(datagram);
    };
    this.#flushes.add(flush);
    return (received) => {
      // The socket's memory may be used again.
      const datagram = received.slice();
      const chance = this.#chance();
      const { lost, repeated, late } = this.#faults;
      if (chance < lost) {
        this.counts.lost++;
        return;
      }
      if (chance < lost + late) {
        this.counts.late++;
        held.push({ datagram, passed: 0 });
        timer ??= setTimeout(flush, HOLD_MS);
        return;
      }
      this.counts.carried++;
      send(datagram);
      if (chance < lost + late + repeated) {
        this.counts.repeated++;
        send(datagram);
      }
      for (const entry of held) entry.passed++;
      for (const { datagram } of held.filter(({ passed }) => passed >= HOLD_DATAGRAMS)) {
        send(datagram);
      }
      held = held.filter(({ passed }) => passed < HOLD_DATAGRAMS);
    };
  }
}

async function bound(): Promise<Socket> {
  const socket = createSocket("udp4");
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return socket;
}

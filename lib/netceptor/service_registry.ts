/** Who on this node listens on which service. */
import { type Random, randomText } from "../base/random.ts";
import { MAX_SERVICE_BYTES, type Service, serviceFromText } from "../wire/data_packet.ts";
import type { Unreachable } from "../wire/unreachable.ts";
import type { MeshNode } from "./node_table.ts";

/** Takes the packets for one service. */
export interface PacketHandler {
  /** A packet from `from`, header included; the view is valid during the call. */
  receive(packet: Uint8Array<ArrayBuffer>, from: MeshNode): void;
  /** The node `reporter` says that a packet sent by this service did not arrive. */
  unreachable?(notice: Unreachable, reporter: string): void;
}

/** Somebody on this node already listens on the service. */
export class ServiceTakenError extends Error {
  override readonly name = "ServiceTakenError";
  constructor(service: string) {
    super(`service ${service} is already listening`);
  }
}

export class ServiceRegistry {
  readonly #random: Random;
  readonly #handlers = new Map<Service, PacketHandler>();

  constructor(random: Random) {
    this.#random = random;
  }

  get(service: Service): PacketHandler | undefined {
    return this.#handlers.get(service);
  }

  /**
   * Registers `handler` for the service called `name`, "" for a new ephemeral one. Disposing of the
   * result ends that. Throws a `RangeError` if the name is too long, or a `ServiceTakenError`.
   */
  register(name: string, handler: PacketHandler): { readonly service: Service } & Disposable {
    const service = name === "" ? this.#ephemeral() : serviceFromText(name);
    if (service === undefined) {
      throw new RangeError(`service name ${name} too long (at most ${MAX_SERVICE_BYTES} bytes)`);
    }
    if (this.#handlers.has(service)) throw new ServiceTakenError(name);
    this.#handlers.set(service, handler);
    return {
      service,
      [Symbol.dispose]: () => {
        if (this.#handlers.get(service) === handler) this.#handlers.delete(service);
      },
    };
  }

  /** The mesh's equivalent of an ephemeral port. */
  #ephemeral(): Service {
    for (;;) {
      const service = randomText(this.#random, MAX_SERVICE_BYTES) as Service;
      if (!this.#handlers.has(service)) return service;
    }
  }
}

/** What both UDP services do with a datagram: send it on, or drop it and count that. */
import type { HostPort } from "../backends/host_port.ts";
import type { UdpSocket } from "../backends/udp_socket.ts";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/error_message.ts";
import type { Log } from "../base/log.ts";
import type { DatagramPort } from "../netceptor/datagram_port.ts";
import { DropLog, type DropLogDeps } from "../netceptor/drop_log.ts";
import type { Mesh } from "../netceptor/mesh.ts";

/** Bytes that may wait for the system to take them; more is dropped. */
const MAX_WAITING_BYTES = 1024 * 1024;

export interface DatagramServiceDeps {
  readonly log: Log;
  readonly clock: Clock;
  readonly mesh: Pick<Mesh, "nodeId" | "openDatagramPort">;
  /** Is told of dropped datagrams; without it, only the log is. */
  readonly observer?: DropLogDeps["observer"] | undefined;
}

const NO_OBSERVER: DropLogDeps["observer"] = { dropped() {}, limitHit() {} };

/** Counts what a service drops, and tells the observer if there is one. */
export function dropLogOf(
  { log, clock, observer = NO_OBSERVER }: Omit<DatagramServiceDeps, "mesh">,
): DropLog {
  return new DropLog({ log, clock, observer });
}

export class DatagramSender {
  readonly #drops: DropLog;
  readonly #name: string;
  #waitingBytes = 0;

  /** `name` is that of the service, for messages. */
  constructor(deps: DatagramServiceDeps, name: string) {
    this.#drops = dropLogOf(deps);
    this.#name = name;
  }

  toMesh(
    port: DatagramPort,
    { node, service }: { readonly node: string; readonly service: string },
    payload: Uint8Array,
  ): void {
    try {
      port.send(node, service, payload);
    } catch (error) {
      this.drop(`to ${node}:${service}: ${messageOf(error)}`);
    }
  }

  /** Sends a copy of `payload`. */
  toSocket(socket: UdpSocket, to: HostPort, payload: Uint8Array): void {
    if (this.#waitingBytes + payload.length > MAX_WAITING_BYTES) {
      return this.drop("the system takes no more");
    }
    this.#waitingBytes += payload.length;
    void socket.send(payload.slice(), to).finally(() => this.#waitingBytes -= payload.length);
  }

  /** Counts a datagram that goes nowhere; a line now and then says so. */
  drop(reason: string): void {
    this.#drops.count(`${this.#name}: datagram dropped`, reason);
  }
}

/** A UDP socket that sends and receives whole datagrams. */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { isIPv6 } from "node:net";
import { messageOf } from "../base/error_message.ts";
import { formatHostPort, type HostPort, unmapped } from "./host_port.ts";
import { ListenError } from "./listen_address.ts";

/** Longest payload of a datagram (over IPv4; IPv6 could carry 20 bytes more). */
export const MAX_DATAGRAM_BYTES = 65_507;

/** What a socket does with what it receives. */
export interface UdpSocketHandler {
  /** `from` is an IP address with a port. The bytes belong to the handler. */
  onDatagram(bytes: Uint8Array<ArrayBuffer>, from: HostPort): void;
  onError(error: Error): void;
}

export class UdpSocket implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #isIPv6: boolean;
  #closed: Promise<void> | undefined;

  private constructor(socket: Socket, isIPv6: boolean) {
    this.#socket = socket;
    this.#isIPv6 = isIPv6;
  }

  /**
   * Binds to an IP address, where `::` takes both families. Throws a `ListenError` if the address
   * is not ours or the port is taken.
   */
  static async bind({ host, port }: HostPort): Promise<UdpSocket> {
    const type = isIPv6(host) ? "udp6" : "udp4";
    // Hosts are addresses here, and the usual look-up would cost each datagram a turn of the event
    // loop.
    const socket = createSocket({ type, lookup: asItIs });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("error", reject);
    socket.bind(port, host, resolve);
    try {
      await promise;
    } catch (cause) {
      socket.close();
      const address = formatHostPort({ host, port });
      throw new ListenError(`cannot listen on UDP ${address}: ${messageOf(cause)}`, { cause });
    }
    socket.off("error", reject);
    return new UdpSocket(socket, type === "udp6");
  }

  /** Where it is bound, with the real port. */
  get address(): HostPort {
    const { address, port } = this.#socket.address();
    return { host: address, port };
  }

  /** Hands over everything that arrives from now on. Call it once. */
  start({ onDatagram, onError }: UdpSocketHandler): void {
    this.#socket.on("error", onError);
    this.#socket.on("message", (bytes: Uint8Array, { address, port }: RemoteInfo) => {
      try {
        // The socket's own array has room for the longest datagram, which is too much to keep.
        onDatagram(new Uint8Array(bytes), { host: unmapped(address), port });
      } catch (error) {
        // Deno's sockets swallow what their listeners throw.
        reportError(error);
      }
    });
  }

  /**
   * Resolves to whether the system accepted the datagram; then `bytes` may be reused. The system
   * refuses it if it is too long or the interface's queue is full.
   */
  send(bytes: Uint8Array, { host, port }: HostPort): Promise<boolean> {
    if (this.#closed !== undefined || bytes.length > MAX_DATAGRAM_BYTES) {
      return Promise.resolve(false);
    }
    // An IPv6 socket accepts IPv4 addresses only in IPv6 notation.
    const address = this.#isIPv6 && !host.includes(":") ? `::ffff:${host}` : host;
    return new Promise((resolve) => {
      this.#socket.send(bytes, 0, bytes.length, port, address, (error) => resolve(error === null));
    });
  }

  /** Nothing is sent or handed over from now on; resolves when the port is free. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= new Promise((resolve) => this.#socket.close(resolve));
    await this.#closed;
    // The runtime frees the port once its pending read has ended, two turns of the event loop
    // later.
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

type LookupCallback = (error: null, address: string, family: number) => void;

function asItIs(host: string, _options: unknown, callback: LookupCallback): void {
  callback(null, host, isIPv6(host) ? 6 : 4);
}

/** The IP addresses of a host, IPv4 first, in the form that `onDatagram` reports. */
export async function resolveHost(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true, order: "ipv4first" });
  return found.map(({ address }) => canonicalAddress(address));
}

/** The canonical form of an address, which the runtime uses (RFC 5952). */
function canonicalAddress(address: string): string {
  if (!isIPv6(address)) return address;
  const [plain = "", zone] = address.split("%", 2);
  if (unmapped(plain) !== plain) return unmapped(plain);
  const short = new URL(`http://[${plain}]/`).hostname.slice(1, -1);
  return zone === undefined ? short : `${short}%${zone}`;
}

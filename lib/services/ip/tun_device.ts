/**
 * A network interface whose packets this program sends and receives, one with each read and write.
 * The kernel removes it, with its address and routes, when the program ends, however it ends: jobs
 * do not inherit it.
 */
import { encodeCString, Errno, Libc, OpenFlag, SystemCallError } from "../../base/libc.ts";
import type { IpNetwork } from "../../base/ip_network.ts";
import { type PolledFile, PolledFiles } from "../../base/polled_files.ts";
import { addressMessage, type RouteTarget, Rtnetlink, upMessage } from "./rtnetlink.ts";

const TUN = "/dev/net/tun";
/** From the kernel's `if_tun.h`: `TUNSETIFF`, `IFF_TUN`, `IFF_NO_PI`, `IFF_TUN_EXCL`. */
const SET_INTERFACE = 0x4004_54ca;
const IS_TUN = 0x1;
const WITHOUT_HEADERS = 0x1000;
const MUST_BE_NEW = 0x8000;
/** `struct ifreq`: the name in 16 bytes, then the flags. */
const REQUEST_BYTES = 40;
const NAME_BYTES = 16;
/** The kernel puts the first number that is free in place of `%d`. */
const ANY_NAME = "tun%d";

/**
 * The most that nodes of ours send each other in one packet: what a packet costs is hardly more for
 * a long one. The original leaves it at the 1500 that new interfaces have, which TCP adapts to; and
 * it receives packets of any length.
 */
const MTU = 9000;

/** Another program has an interface of this name. */
export class InterfaceTakenError extends Error {
  override readonly name = "InterfaceTakenError";
}

export interface TunOptions {
  /** Without it, `tun0` or the next that is free. */
  readonly name?: string | undefined;
  /** A /30: its first address becomes ours, its second one that of the other end. */
  readonly local: IpNetwork;
}

export class TunDevice implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #libc: Libc;
  readonly #file: PolledFile;
  readonly #rtnetlink: Rtnetlink;
  readonly #target: RouteTarget;
  #closing: Promise<void> | undefined;

  private constructor(
    stack: AsyncDisposableStack,
    readonly name: string,
    { libc, file, rtnetlink, target }: {
      libc: Libc;
      file: PolledFile;
      rtnetlink: Rtnetlink;
      target: RouteTarget;
    },
  ) {
    this.#stack = stack;
    this.#libc = libc;
    this.#file = file;
    this.#rtnetlink = rtnetlink;
    this.#target = target;
  }

  /**
   * Makes the interface, which is up. Rejects with an `InterfaceTakenError`, or an `Error` that
   * says what is missing: the device file, or the right to make interfaces.
   */
  static async open({ name = "", local }: TunOptions): Promise<TunDevice> {
    await using stack = new AsyncDisposableStack();
    const libc = stack.use(new Libc());
    const files = stack.use(new PolledFiles(libc));
    const { fd, chosen } = makeInterface(libc, name || ANY_NAME);
    const file = files.adopt(fd);
    const rtnetlink = stack.use(new Rtnetlink(libc));
    const index = libc.call.if_nametoindex(encodeCString(chosen));
    if (index === 0) throw new Error(`error accessing link for tun device: ${chosen} is gone`);
    const [own, other] = [addressIn(local, 1), addressIn(local, 2)];
    rtnetlink.change(addressMessage(index, own, other), "error adding IP address to link");
    rtnetlink.change(upMessage(index, MTU), "error setting link up");
    const target = { index, gateway: other };
    return new TunDevice(stack.move(), chosen, { libc, file, rtnetlink, target });
  }

  /** Reads one packet. Rejects when the interface is removed, or the device closed. */
  read(into: Uint8Array<ArrayBuffer>): Promise<number> {
    return this.#file.read(into);
  }

  /**
   * Hands a packet to the kernel. Throws a `SystemCallError` if the kernel does not take it. A
   * closed device takes everything, and drops it.
   */
  write(packet: Uint8Array<ArrayBuffer>): void {
    if (this.#closing === undefined) this.#libc.write(this.#file.fd, packet);
  }

  /** Has the kernel send what is for these networks to the interface. Returns what failed. */
  addRoutes(networks: readonly IpNetwork[]): SystemCallError[] {
    return this.#closing ? [] : this.#rtnetlink.addRoutes(networks, this.#target);
  }

  deleteRoutes(networks: readonly IpNetwork[]): SystemCallError[] {
    return this.#closing ? [] : this.#rtnetlink.deleteRoutes(networks, this.#target);
  }

  /** Removes the interface, and with it its routes. May be repeated. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#closing ??= this.#stack.disposeAsync();
  }
}

function makeInterface(libc: Libc, name: string): { fd: number; chosen: string } {
  const { readWrite, nonBlocking, closeOnExec } = OpenFlag;
  let fd: number;
  try {
    fd = libc.open(TUN, readWrite | nonBlocking | closeOnExec);
  } catch (cause) {
    throw tunError(cause, `this takes ${TUN}, which a container must be given`);
  }
  try {
    const request = new Uint8Array(REQUEST_BYTES);
    request.set(new TextEncoder().encode(name));
    const flags = IS_TUN | WITHOUT_HEADERS | MUST_BE_NEW;
    new DataView(request.buffer).setUint16(NAME_BYTES, flags, true);
    libc.ioctl(fd, SET_INTERFACE, request, `make the interface ${name}`);
    const chosen = new TextDecoder().decode(request.subarray(0, NAME_BYTES)).replace(/\0.*$/s, "");
    return { fd, chosen };
  } catch (cause) {
    libc.close(fd);
    if (cause instanceof SystemCallError && cause.errno === Errno.busy) {
      const message = `error opening tun device: there is an interface ${name} already`;
      throw new InterfaceTakenError(message, { cause });
    }
    throw tunError(cause, "this takes root, or the capability CAP_NET_ADMIN");
  }
}

function tunError(cause: unknown, advice: string): Error {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new Error(`error opening tun device: ${message} (${advice})`, { cause });
}

function addressIn({ address }: IpNetwork, offset: number): Uint8Array {
  return address.with(3, address[3]! + offset);
}

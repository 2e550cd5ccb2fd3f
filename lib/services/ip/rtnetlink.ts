/**
 * Asks the kernel to change network interfaces and routes, by its rtnetlink protocol. Messages and
 * their attributes are aligned to 4 bytes, numbers in the machine's byte order, which is
 * little-endian wherever Deno runs:
 *
 *     0    length of the message      4    type     6    flags
 *     8    sequence number           12    zero
 *     16   a structure, by type; then attributes: length, type, value
 */
import { concatBytes } from "../../base/concat_bytes.ts";
import type { IpNetwork } from "../../base/ip_network.ts";
import { Errno, type Libc, type SystemCallError } from "../../base/libc.ts";

/** From the kernel's `rtnetlink.h`, `netlink.h`, `if_addr.h`, `if_link.h`, `if.h`. */
const Type = { error: 2, newLink: 16, newAddress: 20, newRoute: 24, deleteRoute: 25 } as const;
const Flag = { request: 0x1, acknowledge: 0x4, create: 0x400, append: 0x800 } as const;
const LinkAttribute = { mtu: 4 } as const;
const AddressAttribute = { address: 1, local: 2 } as const;
const RouteAttribute = { destination: 1, interface: 4, gateway: 5, priority: 6 } as const;
const Family = { 4: 2, 6: 10 } as const;
const INTERFACE_IS_UP = 1;
const MAIN_TABLE = 254;
const BOOT_PROTOCOL = 3;
const UNICAST = 1;

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_ROUTE = 0;
const MSG_DONTWAIT = 0x40;

const HEADER_BYTES = 16;
/** A negated error number, 0 for success, follows the header; then the request's own header. */
const ERROR_AT = HEADER_BYTES;
const REPLY_BYTES = 4096;
/** Requests sent at once: their replies must fit into the socket's buffer. */
const MAX_AT_ONCE = 64;

/**
 * The kernel prefers all other routes to the same addresses, those with which DHCP and
 * NetworkManager come included: no announcement takes the place of a route that is there.
 */
export const ROUTE_METRIC = 30_000;

/** What a request is about. */
interface Message {
  readonly type: number;
  readonly flags: number;
  readonly body: Uint8Array;
}

export interface RouteTarget {
  /** Of the interface. */
  readonly index: number;
  /** An IPv4 address beyond the interface, for routes of IPv4. */
  readonly gateway: Uint8Array;
}

/** Gives an interface its own address and that of the other end, both IPv4. */
export function addressMessage(index: number, own: Uint8Array, other: Uint8Array): Message {
  const body = concatBytes(
    [Family[4], own.length * 8, 0, 0],
    u32(index),
    attribute(AddressAttribute.local, own),
    attribute(AddressAttribute.address, other),
  );
  return { type: Type.newAddress, flags: Flag.create, body };
}

export function upMessage(index: number, mtu: number): Message {
  const body = concatBytes(
    [0, 0, 0, 0],
    u32(index),
    u32(INTERFACE_IS_UP),
    u32(INTERFACE_IS_UP),
    attribute(LinkAttribute.mtu, u32(mtu)),
  );
  return { type: Type.newLink, flags: 0, body };
}

/** Adds a route, after others to the same network; or deletes it. */
export function routeMessage(
  change: "add" | "delete",
  { address, prefix, family }: IpNetwork,
  { index, gateway }: RouteTarget,
): Message {
  const body = concatBytes(
    [Family[family], prefix, 0, 0, MAIN_TABLE, BOOT_PROTOCOL, 0, UNICAST],
    u32(0),
    attribute(RouteAttribute.destination, address),
    attribute(RouteAttribute.interface, u32(index)),
    attribute(RouteAttribute.priority, u32(ROUTE_METRIC)),
    family === 4 ? attribute(RouteAttribute.gateway, gateway) : [],
  );
  return change === "add"
    ? { type: Type.newRoute, flags: Flag.create | Flag.append, body }
    : { type: Type.deleteRoute, flags: 0, body };
}

export function encodeRequest(
  { type, flags, body }: Message,
  sequence: number,
): Uint8Array<ArrayBuffer> {
  return concatBytes(
    u32(HEADER_BYTES + body.length),
    u16(type),
    u16(flags | Flag.request | Flag.acknowledge),
    u32(sequence),
    u32(0),
    body,
  );
}

/** The error numbers in a reply, 0 for success, by the sequence number of their request. */
export function decodeReplies(bytes: Uint8Array): Map<number, number> {
  const results = new Map<number, number>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const length = view.getUint32(at, true);
    if (length < HEADER_BYTES || at + length > bytes.length) break;
    if (view.getUint16(at + 4, true) === Type.error && length >= ERROR_AT + 4) {
      results.set(view.getUint32(at + 8, true), 0 - view.getInt32(at + ERROR_AT, true));
    }
    at += aligned(length);
  }
  return results;
}

export class Rtnetlink implements Disposable {
  readonly #libc: Libc;
  readonly #fd: number;
  #sequence = 0;

  /** `libc` must outlive this. */
  constructor(libc: Libc) {
    this.#libc = libc;
    const fd = libc.call.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    this.#fd = libc.check(fd, "open an rtnetlink socket");
  }

  /** Throws a `SystemCallError` that begins with `what`. */
  change(message: Message, what: string): void {
    const [error] = this.#ask([message], () => what);
    if (error !== undefined) throw error;
  }

  /** Adds routes; those that are there already stay. Returns what failed. */
  addRoutes(networks: readonly IpNetwork[], target: RouteTarget): SystemCallError[] {
    const messages = networks.map((network) => routeMessage("add", network, target));
    const what = (index: number) => `error adding kernel route to ${networks[index]}`;
    return this.#ask(messages, what).filter(({ errno }) => errno !== Errno.exists);
  }

  deleteRoutes(networks: readonly IpNetwork[], target: RouteTarget): SystemCallError[] {
    const messages = networks.map((network) => routeMessage("delete", network, target));
    const what = (index: number) => `error deleting kernel route to ${networks[index]}`;
    return this.#ask(messages, what).filter(({ errno }) => errno !== Errno.noProcess);
  }

  [Symbol.dispose](): void {
    this.#libc.close(this.#fd);
  }

  /** `what` names a message by its index. The kernel does what it is asked before `send` returns. */
  #ask(messages: readonly Message[], what: (index: number) => string): SystemCallError[] {
    const errors: SystemCallError[] = [];
    for (let at = 0; at < messages.length; at += MAX_AT_ONCE) {
      const first = this.#sequence;
      const requests = messages.slice(at, at + MAX_AT_ONCE)
        .map((message) => encodeRequest(message, this.#sequence++));
      const bytes = concatBytes(...requests);
      const sent = this.#libc.call.send(this.#fd, bytes, BigInt(bytes.length), 0);
      this.#libc.check(Number(sent), "write to the rtnetlink socket");
      const results = this.#results(first, requests.length);
      for (const [index, errno] of results.entries()) {
        if (errno !== 0) errors.push(this.#libc.error(what(at + index), errno));
      }
    }
    return errors;
  }

  #results(first: number, count: number): number[] {
    const results = Array<number | undefined>(count).fill(undefined);
    const buffer = new Uint8Array(REPLY_BYTES);
    while (results.includes(undefined)) {
      const length = this.#libc.check(
        Number(this.#libc.call.recv(this.#fd, buffer, BigInt(buffer.length), MSG_DONTWAIT)),
        "read from the rtnetlink socket",
      );
      for (const [sequence, errno] of decodeReplies(buffer.subarray(0, length))) {
        // What an earlier failure left behind is not for us.
        if (sequence >= first && sequence < first + count) results[sequence - first] = errno;
      }
    }
    return results as number[];
  }
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}

function attribute(type: number, value: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = 4 + value.length;
  return concatBytes(u16(length), u16(type), value, new Uint8Array(aligned(length) - length));
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value, value >> 8);
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value, value >> 8, value >> 16, value >> 24);
}

/**
 * Data packets, read and written in place. Numbers are big-endian.
 *
 *      0      1      2      3      4                    8                   11
 *     +------+------+------+------+--------------------+--------------------+
 *     | type | hops | 0    | 0    | hash of the source node id              |
 *     +------+------+------+------+--------------------+--------------------+
 *     | 12  hash of the destination node id                              19 |
 *     +---------------------------------------------------------------------+
 *     | 20  source service, zero-padded                                  27 |
 *     +---------------------------------------------------------------------+
 *     | 28  destination service, zero-padded                             35 |
 *     +---------------------------------------------------------------------+
 *     | 36  payload …
 */
import { MessageType } from "./message_type.ts";
import type { NodeHash } from "./node_id.ts";

export const PACKET_HEADER_BYTES = 36;
/** How many hops a packet may be forwarded, unless its sender says otherwise. */
export const MAX_HOPS = 30;
/** Longest service name in bytes. */
export const MAX_SERVICE_BYTES = 8;

const HOPS_AT = 1;
/** Where the address fields begin. */
export const SOURCE_NODE_AT = 4;
export const DESTINATION_NODE_AT = 12;
export const SOURCE_SERVICE_AT = 20;
export const DESTINATION_SERVICE_AT = 28;

export interface PacketAddress {
  readonly sourceNode: NodeHash;
  readonly destinationNode: NodeHash;
  readonly sourceService: Service;
  readonly destinationService: Service;
}

/**
 * A service name as on the wire: at most 8 bytes, one UTF-16 unit for each. For the usual ASCII
 * names that is the name itself, so comparing and looking up need no decoding.
 */
export type Service = string & { readonly service: unique symbol };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The wire form of a service name; undefined if it is longer than 8 bytes. */
export function serviceFromText(text: string): Service | undefined {
  const bytes = encoder.encode(text);
  if (bytes.length > MAX_SERVICE_BYTES) return undefined;
  // Zero bytes at the end are padding on the wire: a name that arrives has none.
  return String.fromCharCode(...bytes).replace(/\0+$/, "") as Service;
}

/** A service name for people and for JSON. Bytes that are not UTF-8 become U+FFFD. */
export function serviceText(service: Service): string {
  let ascii = true;
  for (let i = 0; i < service.length; i++) ascii &&= service.charCodeAt(i) < 0x80;
  if (ascii) return service;
  return decoder.decode(Uint8Array.from(service, (unit) => unit.charCodeAt(0)));
}

/** A whole header, to be followed by the payload. */
export function encodePacketHeader(address: PacketAddress, hops: number): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(PACKET_HEADER_BYTES);
  header[0] = MessageType.Data;
  setPacketHops(header, hops);
  const view = new DataView(header.buffer);
  view.setUint32(SOURCE_NODE_AT, address.sourceNode.high);
  view.setUint32(SOURCE_NODE_AT + 4, address.sourceNode.low);
  view.setUint32(DESTINATION_NODE_AT, address.destinationNode.high);
  view.setUint32(DESTINATION_NODE_AT + 4, address.destinationNode.low);
  setService(header, SOURCE_SERVICE_AT, address.sourceService);
  setService(header, DESTINATION_SERVICE_AT, address.destinationService);
  return header;
}

/** How many times the packet may still be forwarded. */
export function packetHops(packet: Uint8Array): number {
  return packet[HOPS_AT]!;
}

/** `hops` is 0 to 255. */
export function setPacketHops(packet: Uint8Array, hops: number): void {
  packet[HOPS_AT] = hops;
}

/** The signed 32-bit number at `at`, for table look-ups without an allocation. */
export function packetInt32(packet: Uint8Array, at: number): number {
  return (packet[at]! << 24) | (packet[at + 1]! << 16) | (packet[at + 2]! << 8) | packet[at + 3]!;
}

/** The service name at `at`, without its padding. */
export function packetService(packet: Uint8Array, at: number): Service {
  let end = at + MAX_SERVICE_BYTES;
  while (end > at && packet[end - 1] === 0) end--;
  let service = "";
  for (let i = at; i < end; i++) service += String.fromCharCode(packet[i]!);
  return service as Service;
}

export function packetPayload<B extends ArrayBufferLike>(packet: Uint8Array<B>): Uint8Array<B> {
  return packet.subarray(PACKET_HEADER_BYTES);
}

function setService(header: Uint8Array, at: number, service: Service): void {
  for (let i = 0; i < service.length; i++) header[at + i] = service.charCodeAt(i);
}

/** The addresses in an IP packet. */

export interface PacketAddresses {
  /** Of each address, in bytes. */
  readonly length: 4 | 16;
  /** Where they are in the packet. */
  readonly sourceAt: number;
  readonly destinationAt: number;
}

const V4: PacketAddresses = { length: 4, sourceAt: 12, destinationAt: 16 };
const V6: PacketAddresses = { length: 16, sourceAt: 8, destinationAt: 24 };
const V4_HEADER_BYTES = 20;
const V6_HEADER_BYTES = 40;

/** Undefined if it is no IP packet, or cut off. The kernel checks everything else. */
export function packetAddresses(packet: Uint8Array): PacketAddresses | undefined {
  const lengthAt = (at: number) => packet[at]! << 8 | packet[at + 1]!;
  switch (packet.length === 0 ? undefined : packet[0]! >> 4) {
    case 4:
      return packet.length >= V4_HEADER_BYTES && lengthAt(2) === packet.length ? V4 : undefined;
    case 6:
      return packet.length >= V6_HEADER_BYTES && lengthAt(4) + V6_HEADER_BYTES === packet.length
        ? V6
        : undefined;
    default:
      return undefined;
  }
}

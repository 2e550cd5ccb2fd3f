/** IP addresses as bytes, and networks in CIDR notation, read and printed as Go does. */

const V4_BYTES = 4;
const V6_GROUPS = 8;

/** All addresses that begin with the first `prefix` bits of `address`. */
export class IpNetwork {
  /** 4 or 16 bytes; those after the prefix are zero. */
  readonly address: Uint8Array;

  constructor(address: Uint8Array, readonly prefix: number) {
    this.address = address.map((byte, index) => byte & maskByte(prefix, index));
  }

  /**
   * Reads `10.0.0.0/8` or `fd00::/8`; bits after the prefix are dropped. Throws a `SyntaxError` in
   * the original's words.
   */
  static parse(text: string): IpNetwork {
    const [, host, length] = /^([^/]*)\/(\d{1,3})$/.exec(text) ?? [];
    const address = host === undefined ? undefined : parseIpAddress(host);
    const prefix = Number(length);
    if (address === undefined || prefix > address.length * 8) {
      throw new SyntaxError(`could not parse ${text} as a CIDR address`);
    }
    return new IpNetwork(address, prefix);
  }

  get family(): 4 | 6 {
    return this.address.length === V4_BYTES ? 4 : 6;
  }

  /** Whether it has every address of `other`. */
  contains(other: IpNetwork): boolean {
    return this.family === other.family && this.prefix <= other.prefix &&
      this.address.every((byte, index) =>
        byte === (other.address[index]! & maskByte(this.prefix, index))
      );
  }

  /** The same for the same network, and for no other. */
  toString(): string {
    return `${formatIpAddress(this.address)}/${this.prefix}`;
  }
}

/** 4 or 16 bytes; undefined for a text that is no IP address, or has a zone. */
export function parseIpAddress(text: string): Uint8Array | undefined {
  return text.includes(":") ? parseV6(text) : parseV4(text);
}

/** In the canonical form, of RFC 5952 for IPv6. `address` has 4 or 16 bytes. */
export function formatIpAddress(address: Uint8Array): string {
  if (address.length === V4_BYTES) return address.join(".");
  const groups = Array.from(
    { length: V6_GROUPS },
    (_, index) => address[index * 2]! << 8 | address[index * 2 + 1]!,
  );
  const zeros = longestZeros(groups);
  const hex = (some: number[]) => some.map((group) => group.toString(16)).join(":");
  if (zeros.length < 2) return hex(groups);
  return `${hex(groups.slice(0, zeros.at))}::${hex(groups.slice(zeros.at + zeros.length))}`;
}

/** The bits of byte `index` that a prefix keeps. */
function maskByte(prefix: number, index: number): number {
  const bits = Math.min(8, Math.max(0, prefix - index * 8));
  return 0xff << (8 - bits) & 0xff;
}

function parseV4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  // A leading zero would be octal to some.
  const valid = parts.length === V4_BYTES &&
    parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
  return valid ? Uint8Array.from(parts, Number) : undefined;
}

function parseV6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, index) => groupsOf(half, index === halves.length - 1));
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  const missing = V6_GROUPS - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array<number>(missing).fill(0), ...(tail ?? [])];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** Groups of 16 bits; the last two may be written as an IPv4 address if nothing follows. */
function groupsOf(text: string, mayEndInV4: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    const v4 = mayEndInV4 && index === parts.length - 1 ? parseV4(part) : undefined;
    if (v4 !== undefined) groups.push(v4[0]! << 8 | v4[1]!, v4[2]! << 8 | v4[3]!);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

function longestZeros(groups: readonly number[]): { at: number; length: number } {
  let longest = { at: 0, length: 0 };
  for (let at = 0; at < groups.length; at++) {
    let length = 0;
    while (groups[at + length] === 0) length++;
    if (length > longest.length) longest = { at, length };
    at += length;
  }
  return longest;
}

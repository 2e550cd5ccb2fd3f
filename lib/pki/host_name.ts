/**
 * Host names and addresses in certificates (RFC 6125), matched as Go does: against the
 * subjectAltName alone, never the common name.
 */
import { isIP } from "node:net";
import { sameBytes } from "./same_bytes.ts";

/**
 * Whether a certificate with these names is for `host`, a DNS name or an IP address (IPv6 with or
 * without brackets).
 */
export function matchesHost(
  host: string,
  names: { readonly dnsNames: readonly string[]; readonly ipAddresses: readonly Uint8Array[] },
): boolean {
  const address = parseIpAddress(host.replace(/^\[(.*)\]$/, "$1"));
  if (address !== undefined) {
    return names.ipAddresses.some((candidate) => sameBytes(candidate, address));
  }
  return names.dnsNames.some((pattern) => matchesPattern(host, pattern));
}

/** 4 or 16 bytes (an IPv4 address in IPv6 notation gives 4); undefined if it is not an address. */
export function parseIpAddress(text: string): Uint8Array<ArrayBuffer> | undefined {
  const [bare = ""] = text.split("%", 1);
  switch (isIP(bare)) {
    case 4:
      return Uint8Array.from(bare.split("."), Number);
    case 6: {
      const bytes = parseIpv6(bare);
      return isIpv4Mapped(bytes) ? bytes.slice(12) : bytes;
    }
    default:
      return undefined;
  }
}

/** The usual text of 4 or 16 bytes. */
export function formatIpAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups: string[] = [];
  for (let i = 0; i < bytes.length; i += 2) {
    groups.push((bytes[i]! << 8 | bytes[i + 1]!).toString(16));
  }
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

function matchesPattern(host: string, pattern: string): boolean {
  const hostLabels = labelsOf(host.replace(/\.$/, ""));
  // The trailing dot of the root does not occur in a certificate.
  const patternLabels = labelsOf(pattern);
  if (hostLabels.length !== patternLabels.length || hostLabels.includes("")) return false;
  // A star stands for a whole first label, with others after it, and for nothing else.
  if (pattern === "*") return false;
  return patternLabels.every((label, i) => label === hostLabels[i] || (i === 0 && label === "*"));
}

function labelsOf(name: string): string[] {
  return name.toLowerCase().split(".");
}

function parseIpv6(text: string): Uint8Array<ArrayBuffer> {
  // The platform's own parser turns every notation into groups of hexadecimal digits.
  const canonical = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const [before = "", after] = canonical.split("::");
  const head = before === "" ? [] : before.split(":");
  const tail = after === undefined || after === "" ? [] : after.split(":");
  const groups = [...head, ...Array(8 - head.length - tail.length).fill("0"), ...tail];
  return Uint8Array.from(
    groups.flatMap((group) => {
      const value = parseInt(group, 16);
      return [value >> 8, value & 0xff];
    }),
  );
}

function isIpv4Mapped(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff &&
    bytes[11] === 0xff;
}

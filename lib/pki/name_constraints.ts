/**
 * Name constraints of an authority (RFC 5280, 4.2.1.10): which DNS names and addresses the
 * certificates below it may have. Node ids cannot be constrained, as in the original.
 */
import { DerError, DerReader, Tag } from "./der.ts";
import { formatIpAddress } from "./host_name.ts";
import type { AlternativeNames } from "./receptor_names.ts";

interface Subtrees {
  /** In lower case; a leading dot means only names below it. */
  readonly dnsNames: readonly string[];
  /** Address and mask, one after the other. */
  readonly ipRanges: readonly Uint8Array[];
}

export interface NameConstraints {
  readonly permitted: Subtrees;
  readonly excluded: Subtrees;
  /** Names of other kinds (e-mail, directory, …) are constrained too; we do not check those. */
  readonly incomplete: boolean;
}

const PERMITTED = Tag.context(0, { constructed: true });
const EXCLUDED = Tag.context(1, { constructed: true });
const DNS_NAME = Tag.context(2, { constructed: false });
const IP_ADDRESS = Tag.context(7, { constructed: false });

/** Reads the contents of the extension. Throws a `DerError` if they are malformed. */
export function readNameConstraints(fields: DerReader): NameConstraints {
  const permittedList = fields.optional(PERMITTED) ?? NOTHING;
  const excludedList = fields.optional(EXCLUDED) ?? NOTHING;
  fields.end();
  if (permittedList.length + excludedList.length === 0) {
    throw new DerError("empty name constraints");
  }
  const permitted = readSubtrees(new DerReader(permittedList));
  const excluded = readSubtrees(new DerReader(excludedList));
  return { permitted, excluded, incomplete: permitted.incomplete || excluded.incomplete };
}

/** Why the first forbidden one of `names` is forbidden; undefined if all are allowed. */
export function findForbiddenName(
  { permitted, excluded }: NameConstraints,
  names: AlternativeNames,
): string | undefined {
  const constrained = permitted.dnsNames.length + excluded.dnsNames.length > 0;
  for (const name of names.dnsNames) {
    if (constrained && !isDomain(name)) return `malformed DNS name "${name}" cannot be compared`;
    const allowed = !excluded.dnsNames.some((it) => isBelow(name, it) || isOneOf(it, name)) &&
      (permitted.dnsNames.length === 0 || permitted.dnsNames.some((it) => isBelow(name, it)));
    if (!allowed) return `DNS name "${name}" is not permitted by the constraints of the CA`;
  }
  for (const address of names.ipAddresses) {
    const allowed = !excluded.ipRanges.some((it) => isIn(address, it)) &&
      (permitted.ipRanges.length === 0 || permitted.ipRanges.some((it) => isIn(address, it)));
    if (!allowed) {
      return `IP address "${
        formatIpAddress(address)
      }" is not permitted by the constraints of the CA`;
    }
  }
  return undefined;
}

const NOTHING = new Uint8Array();

function readSubtrees(list: DerReader): Subtrees & { incomplete: boolean } {
  const dnsNames: string[] = [];
  const ipRanges: Uint8Array[] = [];
  let incomplete = false;
  while (!list.atEnd) {
    const subtree = list.enter();
    const { tag, contents } = subtree.element();
    if (tag === DNS_NAME) {
      dnsNames.push(readDomain(contents));
    } else if (tag === IP_ADDRESS) {
      if (contents.length !== 8 && contents.length !== 32) {
        throw new DerError(`IP range of ${contents.length} bytes`);
      }
      if (!isMask(contents.subarray(contents.length / 2))) {
        throw new DerError("IP range whose mask has gaps");
      }
      ipRanges.push(contents);
    } else {
      incomplete = true;
    }
    // `minimum` and `maximum` may follow, but nobody uses them.
    if (!subtree.atEnd) incomplete = true;
  }
  return { dnsNames, ipRanges, incomplete };
}

/**
 * A constraint that no name can ever match would constrain nothing, so it must not pass for one.
 */
function readDomain(bytes: Uint8Array): string {
  const text = new TextDecoder("latin1").decode(bytes).toLowerCase();
  if (text === "" || isDomain(text.replace(/^\./, ""))) return text;
  throw new DerError(`malformed DNS name ${JSON.stringify(text)} in name constraints`);
}

function isBelow(name: string, constraint: string): boolean {
  const lower = name.toLowerCase();
  if (constraint === "") return true;
  return constraint.startsWith(".")
    ? lower.endsWith(constraint)
    : lower === constraint || lower.endsWith(`.${constraint}`);
}

/** Whether `name` is among those that the certificate's `pattern`, such as `*.example`, covers. */
function isOneOf(name: string, pattern: string): boolean {
  return pattern.startsWith("*.") && name.replace(/^[^.]*/, "*") === pattern.toLowerCase();
}

/** Non-empty labels of printable characters: anything else cannot be compared. */
function isDomain(name: string): boolean {
  return /^([!-\-/-~]+\.)*[!-\-/-~]+$/.test(name);
}

/** Whether the mask is a run of ones followed by zeros. */
function isMask(mask: Uint8Array): boolean {
  const bits = mask.reduce((text, byte) => text + byte.toString(2).padStart(8, "0"), "");
  return /^1*0*$/.test(bits);
}

function isIn(address: Uint8Array, range: Uint8Array): boolean {
  if (range.length !== 2 * address.length) return false;
  return address.every((byte, i) => {
    const mask = range[address.length + i]!;
    return (byte & mask) === (range[i]! & mask);
  });
}

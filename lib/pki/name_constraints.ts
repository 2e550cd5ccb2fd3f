/**
 * Name constraints of an authority (RFC 5280, 4.2.1.10): which DNS names and addresses the
 * certificates below it may have. Node ids cannot be constrained, in the original neither.
 */
import { DerError, type DerReader, Tag } from "./der.ts";
import { formatIpAddress } from "./host_name.ts";
import type { AlternativeNames } from "./receptor_names.ts";

interface Subtrees {
  /** In lower case; with a leading dot only what is below counts. */
  readonly dnsNames: readonly string[];
  /** Address and mask, one after the other. */
  readonly ipRanges: readonly Uint8Array[];
}

export interface NameConstraints {
  readonly permitted: Subtrees;
  readonly excluded: Subtrees;
  /** Names of other kinds (e-mail, directory, …) are constrained too; nobody here checks those. */
  readonly incomplete: boolean;
}

const PERMITTED = Tag.context(0, { constructed: true });
const EXCLUDED = Tag.context(1, { constructed: true });
const DNS_NAME = Tag.context(2, { constructed: false });
const IP_ADDRESS = Tag.context(7, { constructed: false });

/** Reads the contents of the extension. Throws a `DerError` when they are malformed. */
export function readNameConstraints(fields: DerReader): NameConstraints {
  const permitted = fields.nextTag === PERMITTED ? readSubtrees(fields.enter(PERMITTED)) : NONE;
  const excluded = fields.nextTag === EXCLUDED ? readSubtrees(fields.enter(EXCLUDED)) : NONE;
  fields.end();
  return { permitted, excluded, incomplete: permitted.incomplete || excluded.incomplete };
}

/** The first of `names` that `constraints` do not allow, with why; undefined when all are fine. */
export function findForbiddenName(
  { permitted, excluded }: NameConstraints,
  names: AlternativeNames,
): string | undefined {
  for (const name of names.dnsNames) {
    const allowed = isAllowed(permitted.dnsNames, excluded.dnsNames, (it) => isBelow(name, it));
    if (!allowed) return `DNS name "${name}" is not permitted by the constraints of the CA`;
  }
  for (const address of names.ipAddresses) {
    const allowed = isAllowed(permitted.ipRanges, excluded.ipRanges, (it) => isIn(address, it));
    if (!allowed) {
      return `IP address "${
        formatIpAddress(address)
      }" is not permitted by the constraints of the CA`;
    }
  }
  return undefined;
}

const NONE = { dnsNames: [], ipRanges: [], incomplete: false };

function readSubtrees(list: DerReader): Subtrees & { incomplete: boolean } {
  const dnsNames: string[] = [];
  const ipRanges: Uint8Array[] = [];
  let incomplete = false;
  while (!list.atEnd) {
    const subtree = list.enter();
    const { tag, contents } = subtree.element();
    if (tag === DNS_NAME) {
      dnsNames.push(new TextDecoder().decode(contents).toLowerCase());
    } else if (tag === IP_ADDRESS) {
      if (contents.length !== 8 && contents.length !== 32) {
        throw new DerError(`IP range of ${contents.length} bytes`);
      }
      ipRanges.push(contents);
    } else {
      incomplete = true;
    }
    // `minimum` and `maximum` may follow; nobody has ever used them.
    if (!subtree.atEnd) incomplete = true;
  }
  return { dnsNames, ipRanges, incomplete };
}

function isAllowed<T>(
  permitted: readonly T[],
  excluded: readonly T[],
  matches: (constraint: T) => boolean,
): boolean {
  return !excluded.some(matches) && (permitted.length === 0 || permitted.some(matches));
}

function isBelow(name: string, constraint: string): boolean {
  const lower = name.toLowerCase().replace(/\.$/, "");
  if (constraint === "") return true;
  return constraint.startsWith(".")
    ? lower.endsWith(constraint)
    : lower === constraint || lower.endsWith(`.${constraint}`);
}

function isIn(address: Uint8Array, range: Uint8Array): boolean {
  if (range.length !== 2 * address.length) return false;
  return address.every((byte, i) => {
    const mask = range[address.length + i]!;
    return (byte & mask) === (range[i]! & mask);
  });
}

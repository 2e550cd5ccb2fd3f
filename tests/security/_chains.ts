/** Chains of certificates for two verifiers to judge: good ones, faulty ones, and mutants. */
import { der, derOid, DerReader, Tag } from "../../lib/pki/der.ts";
import { TrustStore } from "../../lib/pki/trust_store.ts";
import { verifyPeer } from "../../lib/pki/verify_peer.ts";
import {
  type CertificateOptions,
  extension,
  Field,
  type Issued,
  type KeyKind,
  makeCertificate,
  NOW,
  withBody,
  withFields,
} from "../pki/_certificates.ts";
import { seededRandom } from "../sim/seeded_random.ts";

const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const ANY_PURPOSE = "2.5.29.37.0";

export interface Case {
  what: string;
  root: Issued;
  chain: Issued[];
  /** DNS name or address that is dialled, "" for any. */
  host: string;
  purpose: "server" | "client";
}

/** Why we refuse a chain; undefined if we do not. */
export function ourReason({ root, chain, host, purpose }: Case): string | undefined {
  try {
    verifyPeer(
      chain.map(({ der }) => der),
      {
        profile: "",
        peerIs: purpose,
        roots: TrustStore.fromPem(root.cert, "ca.crt"),
        pins: [],
      },
      { name: host === "" ? "any" : { host }, from: "", now: NOW },
    );
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const subtree = (tag: number, value: Uint8Array) => der(Tag.sequence, der(tag, value));
const text = (value: string) => new TextEncoder().encode(value);

function constraints(
  { permitted = [], excluded = [] }: { permitted?: Uint8Array[]; excluded?: Uint8Array[] },
) {
  return extension(
    "2.5.29.30",
    true,
    der(
      Tag.sequence,
      ...permitted.length > 0 ? [der(0xa0, ...permitted)] : [],
      ...excluded.length > 0 ? [der(0xa1, ...excluded)] : [],
    ),
  );
}

/** A choice that is the same in every run. */
class Dice {
  readonly #random = seededRandom(20261121);

  below(count: number): number {
    const bytes = this.#random.fill(new Uint8Array(4));
    return new DataView(bytes.buffer).getUint32(0) % count;
  }

  oneOf<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** One time in `n`. */
  rarely(n: number): boolean {
    return this.below(n) === 0;
  }
}

const DOMAINS = ["example", "h.example", ".example", ".h.example", "a.h.example", "org", ""];
const BAD_DOMAINS = ["..example", "h.example.", ".", "h..example", "h example", "*.example"];
const NAMES = [
  "h.example",
  "*.example",
  "*.h.example",
  "a.h.example",
  "example",
  "*",
  "h.org",
  "H.EXAMPLE",
  "h.example.",
  "*.",
  "h_1.example",
];
const HOSTS = ["", "h.example", "a.h.example", "x.example", "example", "h", "192.0.2.1"];
const RANGES = [
  [192, 0, 2, 0, 255, 255, 255, 0],
  [10, 0, 0, 0, 255, 0, 0, 0],
  [192, 0, 2, 0, 255, 0, 255, 0],
  [0, 0, 0, 0, 0, 0, 0, 0],
];

function someConstraint(dice: Dice): Uint8Array {
  if (dice.rarely(3)) return subtree(0x87, Uint8Array.from(dice.oneOf(RANGES)));
  return subtree(0x82, text(dice.oneOf(dice.rarely(5) ? BAD_DOMAINS : DOMAINS)));
}

function someExtensions(dice: Dice): CertificateOptions["extensions"] {
  const extensions: CertificateOptions["extensions"] = [];
  if (dice.rarely(6)) {
    const several = () => Array.from({ length: dice.below(3) }, () => someConstraint(dice));
    extensions.push(constraints({ permitted: several(), excluded: several() }));
  }
  if (dice.rarely(25)) extensions.push(extension("1.2.3.4", dice.rarely(2), der(Tag.null)));
  if (dice.rarely(25)) {
    const value = dice.oneOf([der(Tag.sequence), der(Tag.null), new Uint8Array([0x30, 9])]);
    extensions.push(extension("2.5.29.31", false, value));
  }
  return extensions;
}

const PURPOSES = [undefined, [SERVER_AUTH], [CLIENT_AUTH], [], [ANY_PURPOSE]];
const KINDS: readonly KeyKind[] = ["p256", "p384", "ed25519", "rsa", "shortRsa"];

async function someCertificate(
  dice: Dice,
  commonName: string,
  issuer: Issued | undefined,
): Promise<Issued> {
  const isLeaf = commonName === "leaf";
  const purposes = dice.rarely(8) ? dice.oneOf(PURPOSES) : undefined;
  const made = await makeCertificate({
    commonName,
    ...(issuer ? { issuer } : {}),
    kind: dice.rarely(10) ? dice.oneOf(KINDS) : "p256",
    ...dice.rarely(25) ? { from: 1 } : {},
    ...dice.rarely(25) ? { until: -0.5 } : {},
    ...(purposes ? { purposes } : {}),
    ca: !isLeaf && !dice.rarely(30) && (dice.rarely(5) ? { pathLength: dice.below(2) } : true),
    maySign: !dice.rarely(30),
    ...(isLeaf
      ? {
        dnsNames: Array.from({ length: dice.below(3) }, () => dice.oneOf(NAMES)),
        ipAddresses: dice.rarely(2) ? [dice.oneOf(["192.0.2.1", "10.1.1.1"])] : [],
        nodeIds: dice.rarely(2) ? ["foo"] : [],
      }
      : {}),
    extensions: someExtensions(dice)!,
  });
  if (issuer?.kind !== "p256" || !dice.rarely(25)) return made;
  const info = dice.oneOf([
    der(Tag.sequence, der(Tag.sequence, derOid("1.2.3")), der(Tag.bitString, new Uint8Array([0]))),
    der(Tag.sequence, der(Tag.sequence, derOid("1.2.3"))),
    der(Tag.sequence),
  ]);
  return withFields(made, issuer, { [Field.publicKeyInfo]: info });
}

async function someCase(dice: Dice, number: number): Promise<Case> {
  const root = await someCertificate(dice, "root", undefined);
  const authorities = [root];
  for (let i = dice.below(3); i > 0; i--) {
    authorities.push(await someCertificate(dice, `ca${i}`, authorities.at(-1)));
  }
  const leaf = await someCertificate(dice, "leaf", authorities.at(-1));
  const intermediates = authorities.slice(1).reverse();
  if (dice.rarely(15)) intermediates.pop();
  if (dice.rarely(15)) intermediates.reverse();
  return {
    what: `chain ${number}`,
    root,
    chain: [leaf, ...intermediates],
    host: dice.rarely(2) ? "" : dice.oneOf(HOSTS),
    purpose: dice.rarely(3) ? "client" : "server",
  };
}

/** For a failed test. */
export function describe({ what, root, chain, host, purpose }: Case): string {
  const pem = [root, ...chain].map(({ cert }) => cert).join("");
  return `${what}, ${purpose} ${JSON.stringify(host)}:\n${pem}`;
}

/** The same chains in every run. */
export async function* someCases(count: number): AsyncGenerator<Case> {
  const dice = new Dice();
  for (let number = 0; number < count; number++) yield await someCase(dice, number);
}

/** Chains of one certificate, in which bits have flipped before its authority signed it. */
export async function* someMutants(count: number): AsyncGenerator<Case> {
  const dice = new Dice();
  const root = await makeCertificate({
    commonName: "root",
    ca: true,
    extensions: [constraints({ excluded: [subtree(0x82, text("h.example"))] })],
  });
  const points = der(Tag.sequence, der(Tag.sequence, der(0xa0, der(0xa0, der(0x86, text("u"))))));
  const leaf = await makeCertificate({
    commonName: "leaf",
    issuer: root,
    dnsNames: ["g.example", "*.example.org"],
    ipAddresses: ["192.0.2.1"],
    nodeIds: ["foo"],
    extensions: [extension("2.5.29.31", false, points)],
  });
  const body = DerReader.unwrap(leaf.der).expect(Tag.sequence).whole;
  for (let number = 0; number < count; number++) {
    const mutant = Uint8Array.from(body);
    for (let flips = 1 + dice.below(2); flips > 0; flips--) {
      const at = dice.below(mutant.length);
      mutant[at] = dice.rarely(2) ? mutant[at]! ^ 1 << dice.below(8) : dice.below(256);
    }
    const chain = [withBody(leaf, root, mutant)];
    yield { what: `mutant ${number}`, root, chain, host: "", purpose: "server" };
  }
}

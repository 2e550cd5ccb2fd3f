/**
 * Certificates for tests, with whatever fault a test needs. Made by the library alone, not by the
 * code under test.
 */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { Buffer } from "node:buffer";
import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import { der, derOid, DerReader, Tag } from "../../lib/pki/der.ts";
import { formatPem } from "../../lib/pki/pem.ts";

/** The day on which the tests' certificates are checked, in milliseconds since 1970. */
export const NOW = Date.UTC(2026, 10, 21);
export const DAY_MS = 24 * 60 * 60 * 1000;

/** The key algorithms of the tests. */
export const ALGORITHMS = {
  rsa: {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    publicExponent: new Uint8Array([1, 0, 1]),
    modulusLength: 2048,
  },
  shortRsa: {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    publicExponent: new Uint8Array([1, 0, 1]),
    modulusLength: 1024,
  },
  rsaSha1: {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-1",
    publicExponent: new Uint8Array([1, 0, 1]),
    modulusLength: 2048,
  },
  pss: {
    name: "RSA-PSS",
    hash: "SHA-384",
    saltLength: 48,
    publicExponent: new Uint8Array([1, 0, 1]),
    modulusLength: 2048,
  },
  p256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  p384: { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" },
  p521: { name: "ECDSA", namedCurve: "P-521", hash: "SHA-512" },
  ed25519: { name: "Ed25519" },
} as const;
export type KeyKind = keyof typeof ALGORITHMS;

export interface Issued {
  readonly der: Uint8Array<ArrayBuffer>;
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  readonly keyObject: KeyObject;
  readonly commonName: string;
  readonly keys: CryptoKeyPair;
  readonly kind: KeyKind;
}

export interface CertificateOptions {
  commonName: string;
  /** Self-signed without one. */
  issuer?: Issued;
  kind?: KeyKind;
  /** Use these keys instead of new ones. */
  keysOf?: Issued;
  /** What the next two count from, in milliseconds since 1970; by default `NOW`. */
  now?: number;
  /** Days. */
  from?: number;
  until?: number;
  nodeIds?: string[];
  dnsNames?: string[];
  ipAddresses?: string[];
  /** An authority, with at most this many intermediates below it. */
  ca?: boolean | { pathLength: number };
  /** For authorities: leave out the right to sign. */
  maySign?: boolean;
  /** Object identifiers; both TLS purposes without them, none for an empty list. */
  purposes?: string[];
  extensions?: x509.Extension[];
}

const generated = new Map<KeyKind, Promise<CryptoKeyPair>[]>();

/** New keys; RSA keys, slow to make, come from a small stock. */
async function makeKeys(kind: KeyKind): Promise<CryptoKeyPair> {
  const make = () =>
    crypto.subtle.generateKey(ALGORITHMS[kind], true, ["sign", "verify"]) as Promise<CryptoKeyPair>;
  if (kind.startsWith("p") && kind !== "pss" || kind === "ed25519") return await make();
  const stock = generated.get(kind) ?? [];
  generated.set(kind, stock);
  if (stock.length < 3) stock.push(make());
  else stock.push(stock.shift()!);
  return await stock.at(-1)!;
}

export async function makeCertificate(options: CertificateOptions): Promise<Issued> {
  const { commonName, issuer, keysOf, ca, purposes } = options;
  const { now = NOW, from = -1, until = 365 } = options;
  const kind = keysOf?.kind ?? options.kind ?? "p256";
  const keys = keysOf?.keys ?? await makeKeys(kind);
  const extensions: x509.Extension[] = [];
  if (ca) {
    const pathLength = ca === true ? undefined : ca.pathLength;
    extensions.push(new x509.BasicConstraintsExtension(true, pathLength, true));
  }
  const usage = x509.KeyUsageFlags.digitalSignature |
    (ca && options.maySign !== false ? x509.KeyUsageFlags.keyCertSign : 0);
  extensions.push(new x509.KeyUsagesExtension(usage, true));
  const listed = purposes ?? ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"];
  if (listed.length > 0) extensions.push(new x509.ExtendedKeyUsageExtension(listed));
  const names = alternativeNames(options);
  if (names !== undefined) extensions.push(names);
  extensions.push(...options.extensions ?? []);

  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: crypto.getRandomValues(new Uint8Array(8)).fill(0x11, 0, 1).toHex(),
    subject: [{ CN: [commonName] }],
    issuer: [{ CN: [issuer?.commonName ?? commonName] }],
    notBefore: new Date(now + from * DAY_MS),
    notAfter: new Date(now + until * DAY_MS),
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    signingAlgorithm: ALGORITHMS[issuer?.kind ?? kind],
    extensions,
  });
  const bytes = new Uint8Array(certificate.rawData);
  return { commonName, keys, kind, ...await issued(bytes, keys) };
}

/** The fields of the signed part of a certificate, by their position from the front. */
export const Field = { version: 0, serialNumber: 1, subject: 5, publicKeyInfo: 6 } as const;

/** `template` with some fields replaced, each by a whole element; properly signed by `issuer`. */
export function withFields(
  template: Issued,
  issuer: Issued,
  fields: Readonly<Record<number, Uint8Array>>,
): Issued {
  const outer = DerReader.unwrap(template.der);
  const body = new DerReader(outer.read(Tag.sequence));
  const elements: Uint8Array[] = [];
  while (!body.atEnd) elements.push(body.element().whole);
  return withBody(
    template,
    issuer,
    der(Tag.sequence, ...elements.map((element, i) => fields[i] ?? element)),
  );
}

/** `template` with other bytes in the place of what is signed; well signed by `issuer`. */
export function withBody(template: Issued, issuer: Issued, body: Uint8Array): Issued {
  const outer = DerReader.unwrap(template.der);
  outer.element();
  const signature = sign("sha256", body, issuer.keyObject);
  const bytes = der(
    Tag.sequence,
    body,
    outer.element().whole,
    der(Tag.bitString, new Uint8Array([0]), signature),
  );
  return { ...template, der: bytes, cert: formatPem("CERTIFICATE", bytes) };
}

/** A certificate of the first version, which the library does not make. */
export async function makeVersion1(
  { commonName, issuer }: { commonName: string; issuer: Issued },
): Promise<Issued> {
  const template = await makeCertificate({ commonName, issuer });
  const outer = new x509.X509Certificate(template.der);
  const publicKey = new Uint8Array(
    await crypto.subtle.exportKey("spki", template.keys.publicKey),
  );
  const name = (text: string) =>
    der(
      Tag.sequence,
      der(
        Tag.set,
        der(Tag.sequence, derOid("2.5.4.3"), der(0x13, new TextEncoder().encode(text))),
      ),
    );
  const time = (date: Date) =>
    der(
      Tag.generalizedTime,
      new TextEncoder().encode(date.toISOString().replace(/[-:T]|\.\d+/g, "")),
    );
  const algorithm = der(Tag.sequence, derOid("1.2.840.10045.4.3.2"));
  const body = der(
    Tag.sequence,
    der(Tag.integer, new Uint8Array([7])),
    algorithm,
    name(issuer.commonName),
    der(Tag.sequence, time(outer.notBefore), time(outer.notAfter)),
    name(commonName),
    publicKey,
  );
  const signature = sign("sha256", body, issuer.keyObject);
  const bytes = der(
    Tag.sequence,
    body,
    algorithm,
    der(Tag.bitString, new Uint8Array([0]), signature),
  );
  return { ...template, der: bytes, cert: formatPem("CERTIFICATE", bytes) };
}

async function issued(bytes: Uint8Array<ArrayBuffer>, keys: CryptoKeyPair) {
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  return {
    der: bytes,
    cert: formatPem("CERTIFICATE", bytes),
    key: formatPem("PRIVATE KEY", pkcs8),
    keyObject: createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" }),
  };
}

/** Written by hand, since the library does not know Receptor's kind of names. */
function alternativeNames(options: CertificateOptions): x509.Extension | undefined {
  const { nodeIds = [], dnsNames = [], ipAddresses = [] } = options;
  const text = new TextEncoder();
  const names = [
    ...dnsNames.map((name) => der(0x82, text.encode(name))),
    ...ipAddresses.map((address) => der(0x87, Uint8Array.from(address.split("."), Number))),
    ...nodeIds.map((nodeId) =>
      der(0xa0, derOid("1.3.6.1.4.1.2312.19.1"), der(0xa0, der(0x0c, text.encode(nodeId))))
    ),
  ];
  if (names.length === 0) return undefined;
  return new x509.Extension("2.5.29.17", false, der(Tag.sequence, ...names));
}

/** An extension of any kind; `value` is DER. */
export function extension(oid: string, critical: boolean, value: Uint8Array<ArrayBuffer>) {
  return new x509.Extension(oid, critical, value);
}

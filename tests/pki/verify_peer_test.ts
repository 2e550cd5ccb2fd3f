/** Which peers are accepted by their certificates, and what the others are told. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { der, derOid, Tag } from "../../lib/pki/der.ts";
import { parseFingerprint } from "../../lib/pki/fingerprint.ts";
import { TrustStore } from "../../lib/pki/trust_store.ts";
import { type PeerName, type PeerRules, verifyPeer } from "../../lib/pki/verify_peer.ts";
import { CertificateRefused } from "../../lib/quic/tls.ts";
import {
  ALGORITHMS,
  DAY_MS,
  extension,
  type Issued,
  type KeyKind,
  makeCertificate,
  makeVersion1,
  NOW,
} from "./_certificates.ts";

const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const ANY_PURPOSE = "2.5.29.37.0";

const ca = await makeCertificate({ commonName: "CA", ca: true });
const otherCa = await makeCertificate({ commonName: "Other CA", ca: true });
const foo = await makeCertificate({
  commonName: "foo",
  issuer: ca,
  nodeIds: ["foo"],
  dnsNames: ["foo.example.org"],
  ipAddresses: ["192.0.2.1"],
});

interface Check {
  chain: Issued[];
  roots?: Issued[] | undefined;
  rules?: Partial<PeerRules>;
  name?: PeerName;
  now?: number;
}

function check({ chain, roots = [ca], rules, name = { node: "foo" }, now = NOW }: Check) {
  const store = TrustStore.fromPem(roots.map(({ cert }) => cert).join(""), "ca.crt");
  return verifyPeer(
    chain.map(({ der }) => der),
    { profile: "tls-client mesh", peerIs: "server", roots: store, pins: [], ...rules },
    { name, from: "node foo", now },
  );
}

function refused(what: Check, message: string | RegExp, alert: number) {
  assert.throws(() => check(what), (error) => {
    assert.ok(error instanceof CertificateRefused);
    if (typeof message === "string") assert.equal(error.message, message);
    else assert.match(error.message, message);
    assert.equal(error.alert, alert);
    return true;
  });
}

const CONTEXT = "(server node foo, tls-client mesh)";

Deno.test("a certificate from the CA that names the node is accepted", () => {
  assert.equal(check({ chain: [foo] }).subjectText, "CN=foo");
});

Deno.test("a certificate may name several nodes", async () => {
  const both = await makeCertificate({ commonName: "x", issuer: ca, nodeIds: ["bar", "foo"] });
  check({ chain: [both] });
  check({ chain: [both], name: { node: "bar" } });
});

Deno.test("a peer without a certificate is refused", () => {
  refused({ chain: [] }, `peer certificate missing ${CONTEXT}`, 116);
});

Deno.test("a certificate for another node is refused with both names", async () => {
  refused(
    { chain: [foo], name: { node: "bar" } },
    "x509: certificate is valid for Receptor node ID foo, not bar: " +
      `its subject is "CN=foo" ${CONTEXT}`,
    42,
  );
  const several = await makeCertificate({ commonName: "x", issuer: ca, nodeIds: ["a", "b"] });
  refused({ chain: [several] }, /valid for Receptor node IDs a, b, not foo: /, 42);
  const none = await makeCertificate({ commonName: "foo", issuer: ca, dnsNames: ["foo"] });
  refused(
    { chain: [none] },
    /^x509: certificate is not valid for any Receptor node IDs, but wanted to match foo: /,
    42,
  );
});

Deno.test("node ids are compared exactly", () => {
  for (const node of ["Foo", "foo ", "fo", "foo2", ""]) {
    refused({ chain: [foo], name: { node } }, /valid for Receptor node ID foo, not /, 42);
  }
});

Deno.test("names of strangers cannot break out of a log line", async () => {
  const nodeIds = ["evil\n\u001b[2Jnode", ...Array.from({ length: 20 }, (_, i) => `n${i}`)];
  const evil = await makeCertificate({ commonName: "x\r\ny", issuer: ca, nodeIds });
  assert.throws(() => check({ chain: [evil] }), (error) => {
    assert.ok(error instanceof CertificateRefused);
    assert.ok(!/\p{Cc}/u.test(error.message));
    assert.match(error.message, /evil\\n\\u001b\[2Jnode, n0, .*, … 13 more, not foo/);
    assert.match(error.message, /"CN=x\\r\\ny"/);
    return true;
  });
});

Deno.test("a backend's server must be for the host that was dialled", () => {
  check({ chain: [foo], name: { host: "foo.example.org" } });
  check({ chain: [foo], name: { host: "FOO.Example.org." } });
  check({ chain: [foo], name: { host: "192.0.2.1" } });
  refused(
    { chain: [foo], name: { host: "bar.example.org" } },
    "x509: certificate is valid for foo.example.org, 192.0.2.1, not bar.example.org: " +
      `its subject is "CN=foo" ${CONTEXT}`,
    42,
  );
  refused({ chain: [foo], name: { host: "192.0.2.2" } }, /not 192.0.2.2: /, 42);
});

Deno.test("the common name is not a host name", async () => {
  const old = await makeCertificate({ commonName: "foo.example.org", issuer: ca });
  refused(
    { chain: [old], name: { host: "foo.example.org" } },
    /is not valid for any names, but wanted to match foo.example.org: /,
    42,
  );
});

Deno.test("a backend's client may have any name", async () => {
  const nameless = await makeCertificate({ commonName: "x", issuer: ca });
  check({ chain: [nameless], rules: { peerIs: "client" }, name: "any" });
});

Deno.test("a certificate from another CA is refused with what is trusted", async () => {
  const stranger = await makeCertificate({ commonName: "foo", issuer: otherCa, nodeIds: ["foo"] });
  refused(
    { chain: [stranger] },
    'x509: certificate signed by unknown authority: "CN=foo" was issued by "CN=Other CA", ' +
      `ca.crt has "CN=CA" ${CONTEXT}`,
    48,
  );
  // Its CA does not become trusted by being sent along.
  refused({ chain: [stranger, otherCa] }, /signed by unknown authority: /, 48);
  check({ chain: [stranger], roots: [ca, otherCa] });
});

Deno.test("a self-signed certificate is refused unless it is trusted itself", async () => {
  const self = await makeCertificate({ commonName: "foo", nodeIds: ["foo"] });
  refused({ chain: [self] }, /signed by unknown authority: "CN=foo" was issued by "CN=foo"/, 48);
  check({ chain: [self], roots: [self] });
});

Deno.test("a CA with the same name but another key is not trusted", async () => {
  const impostor = await makeCertificate({ commonName: "CA", ca: true });
  const forged = await makeCertificate({ commonName: "foo", issuer: impostor, nodeIds: ["foo"] });
  refused(
    { chain: [forged] },
    /unknown authority \(possibly because of "x509: the signature is not by the issuer's key" while trying to verify candidate authority certificate "CN=CA"\)/,
    48,
  );
  // With both in the bundle, as during a change of the CA, either is found.
  check({ chain: [forged], roots: [ca, impostor] });
  check({ chain: [foo], roots: [impostor, ca] });
});

Deno.test("dates count to the second at both ends", async () => {
  const leaf = await makeCertificate({
    commonName: "foo",
    issuer: ca,
    nodeIds: ["foo"],
    until: 10,
  });
  const [start, end] = [NOW - DAY_MS, NOW + 10 * DAY_MS];
  check({ chain: [leaf], now: start + DAY_MS / 2 });
  check({ chain: [leaf], now: end });
  refused(
    { chain: [leaf], now: end + 1000 },
    "x509: certificate has expired or is not yet valid: " +
      `current time 2026-12-01T00:00:01Z is after 2026-12-01T00:00:00Z ${CONTEXT}`,
    45,
  );
  refused(
    { chain: [leaf], now: start - 1000 },
    /current time 2026-11-19T23:59:59Z is before 2026-11-20T00:00:00Z/,
    45,
  );
});

Deno.test("an expired CA vouches for nobody", async () => {
  const old = await makeCertificate({ commonName: "Old CA", ca: true, from: -20, until: -10 });
  const leaf = await makeCertificate({ commonName: "foo", issuer: old, nodeIds: ["foo"] });
  refused(
    { chain: [leaf], roots: [old] },
    /unknown authority \(possibly because of "x509: certificate has expired .*" while trying to verify candidate authority certificate "CN=Old CA"\)/,
    48,
  );
  const renewed = await makeCertificate({ commonName: "Old CA", ca: true, keysOf: old });
  check({ chain: [leaf], roots: [old, renewed] });
});

Deno.test("intermediates that the peer sends are used, in any order and among others", async () => {
  const upper = await makeCertificate({ commonName: "Upper", issuer: ca, ca: true });
  const lower = await makeCertificate({ commonName: "Lower", issuer: upper, ca: true });
  const leaf = await makeCertificate({ commonName: "foo", issuer: lower, nodeIds: ["foo"] });
  check({ chain: [leaf, lower, upper] });
  check({ chain: [leaf, otherCa, upper, lower, ca] });
  refused({ chain: [leaf, lower] }, /"CN=foo" was issued by "CN=Lower"/, 48);
  // An intermediate in the bundle is as good as a root, as in Go.
  check({ chain: [leaf, lower], roots: [upper] });
  check({ chain: [leaf], roots: [lower] });
});

Deno.test("only authorities may issue", async () => {
  const leaf = await makeCertificate({ commonName: "leaf", issuer: ca });
  const below = await makeCertificate({ commonName: "foo", issuer: leaf, nodeIds: ["foo"] });
  refused({ chain: [below, leaf] }, /not authorized to sign other certificates/, 48);
  refused({ chain: [below], roots: [leaf] }, /not authorized to sign other certificates/, 48);

  const mute = await makeCertificate({ commonName: "mute", issuer: ca, ca: true, maySign: false });
  const mutes = await makeCertificate({ commonName: "foo", issuer: mute, nodeIds: ["foo"] });
  refused({ chain: [mutes, mute] }, /not authorized to sign other certificates/, 48);
});

Deno.test("an authority's path length counts the intermediates below it", async () => {
  const strict = await makeCertificate({ commonName: "Strict", ca: { pathLength: 0 } });
  const leaf = await makeCertificate({ commonName: "foo", issuer: strict, nodeIds: ["foo"] });
  check({ chain: [leaf], roots: [strict] });
  const middle = await makeCertificate({ commonName: "Middle", issuer: strict, ca: true });
  const deep = await makeCertificate({ commonName: "foo", issuer: middle, nodeIds: ["foo"] });
  refused({ chain: [deep, middle], roots: [strict] }, /too many intermediates/, 48);
});

Deno.test("every certificate of a chain must allow the peer's role", async () => {
  const named = { commonName: "foo", nodeIds: ["foo"] };
  const clientOnly = await makeCertificate({ ...named, issuer: ca, purposes: [CLIENT_AUTH] });
  check({ chain: [clientOnly], rules: { peerIs: "client" } });
  refused(
    { chain: [clientOnly] },
    "x509: certificate specifies an incompatible key usage: the extended key usage of " +
      `"CN=foo" does not include server authentication ${CONTEXT}`,
    43,
  );
  const serverOnly = await makeCertificate({ ...named, issuer: ca, purposes: [SERVER_AUTH] });
  refused(
    { chain: [serverOnly], rules: { peerIs: "client" } },
    /does not include client authentication/,
    43,
  );
  check({ chain: [await makeCertificate({ ...named, issuer: ca, purposes: [ANY_PURPOSE] })] });
  check({ chain: [await makeCertificate({ ...named, issuer: ca, purposes: [] })] });

  const clientCa = await makeCertificate({ commonName: "C", ca: true, purposes: [CLIENT_AUTH] });
  const below = await makeCertificate({ ...named, issuer: clientCa });
  refused({ chain: [below], roots: [clientCa] }, /of "CN=C" does not include server/, 43);
});

Deno.test("critical extensions that nobody understands are refused", async () => {
  const strange = extension("1.2.3.4", true, der(Tag.null));
  const leaf = await makeCertificate({
    commonName: "foo",
    issuer: ca,
    nodeIds: ["foo"],
    extensions: [strange],
  });
  refused({ chain: [leaf] }, /unhandled critical extension 1\.2\.3\.4/, 43);
  const harmless = extension("1.2.3.4", false, der(Tag.null));
  check({
    chain: [
      await makeCertificate({
        commonName: "foo",
        issuer: ca,
        nodeIds: ["foo"],
        extensions: [harmless],
      }),
    ],
  });
});

Deno.test("name constraints of a CA bind host names and addresses", async () => {
  const subtree = (tag: number, bytes: Uint8Array) => der(Tag.sequence, der(tag, bytes));
  const text = new TextEncoder();
  const constraints = der(
    Tag.sequence,
    der(
      0xa0,
      subtree(0x82, text.encode("example.org")),
      subtree(0x87, new Uint8Array([192, 0, 2, 0, 255, 255, 255, 0])),
    ),
    der(0xa1, subtree(0x82, text.encode("secret.example.org"))),
  );
  const bound = await makeCertificate({
    commonName: "Bound",
    ca: true,
    extensions: [extension("2.5.29.30", true, constraints)],
  });
  const below = async (names: { dnsNames?: string[]; ipAddresses?: string[] }) => [
    await makeCertificate({ commonName: "foo", issuer: bound, nodeIds: ["foo"], ...names }),
  ];
  const roots = [bound];
  check({ chain: await below({ dnsNames: ["a.example.org"], ipAddresses: ["192.0.2.9"] }), roots });
  check({ chain: await below({}), roots });
  const forbidden: [Awaited<ReturnType<typeof below>>, RegExp][] = [
    [await below({ dnsNames: ["example.com"] }), /DNS name "example.com" is not permitted/],
    [await below({ dnsNames: ["badexample.org"] }), /DNS name "badexample.org" is not permitted/],
    [await below({ dnsNames: ["x.secret.example.org"] }), /is not permitted/],
    [await below({ ipAddresses: ["198.51.100.1"] }), /IP address "198.51.100.1" is not permitted/],
  ];
  for (const [chain, message] of forbidden) refused({ chain, roots }, message, 48);
});

/** What a peer with `names` is told below an authority that excludes the names in `excluded`. */
async function withExcluded(
  excluded: Uint8Array<ArrayBuffer>[],
  names: { dnsNames?: string[]; ipAddresses?: string[] },
): Promise<string> {
  const subtrees = excluded.map((name) => der(Tag.sequence, name));
  const bound = await makeCertificate({
    commonName: "Bound",
    ca: true,
    extensions: [extension("2.5.29.30", true, der(Tag.sequence, der(0xa1, ...subtrees)))],
  });
  const leaf = await makeCertificate({ commonName: "x", issuer: bound, ...names });
  try {
    check({ chain: [leaf, bound], roots: [bound], name: "any" });
    return "accepted";
  } catch (error) {
    return (error as Error).message;
  }
}

const dnsName = (text: string) => der(0x82, new TextEncoder().encode(text));

Deno.test("excluding a name also excludes a wildcard that covers it", async () => {
  const excluded = [dnsName("h.example")];
  for (const name of ["h.example", "a.h.example", "*.h.example", "*.example", "*.EXAMPLE"]) {
    assert.match(await withExcluded(excluded, { dnsNames: [name] }), /is not permitted/, name);
  }
  for (const name of ["g.example", "*.g.example", "example", "*.org", "h.example.org"]) {
    assert.equal(await withExcluded(excluded, { dnsNames: [name] }), "accepted", name);
  }
});

Deno.test("constraints that no name could match are refused, and so are names that no constraint could match", async () => {
  const malformed = [
    ...["..h", "h..example", "h.example.", ".", "h example", "\u00fc.example"].map(dnsName),
    der(0x87, new Uint8Array([192, 0, 2, 0, 255, 0, 255, 0])),
  ];
  for (const name of malformed) {
    assert.match(
      await withExcluded([name], { dnsNames: ["g.example"] }),
      /failed to parse certificate 2 of the chain|no certificate|left out/,
      name.toHex(),
    );
  }
  assert.match(
    await withExcluded([dnsName("h.example")], { dnsNames: ["h.example."] }),
    /malformed DNS name/,
  );
  assert.match(await withExcluded([], { dnsNames: ["g.example"] }), /empty name constraints/);
});

Deno.test("critical constraints on names of other kinds are refused", async () => {
  const email = der(Tag.sequence, der(0x81, new TextEncoder().encode("example.org")));
  const bound = await makeCertificate({
    commonName: "Bound",
    ca: true,
    extensions: [
      extension("2.5.29.30", true, der(Tag.sequence, der(0xa0, email))),
    ],
  });
  const leaf = await makeCertificate({ commonName: "foo", issuer: bound, nodeIds: ["foo"] });
  refused({ chain: [leaf], roots: [bound] }, /unhandled critical extension 2\.5\.29\.30/, 48);
});

Deno.test("keys of all kinds are accepted for CAs and nodes", async () => {
  const kinds = Object.keys(ALGORITHMS).filter((kind) =>
    !["rsaSha1", "shortRsa"].includes(kind)
  ) as KeyKind[];
  for (const kind of kinds) {
    const root = await makeCertificate({ commonName: `${kind} CA`, kind, ca: true });
    const leaf = await makeCertificate({ commonName: kind, kind, issuer: root, nodeIds: ["foo"] });
    check({ chain: [leaf], roots: [root] });
    // One bit of the signed part differs from what was signed.
    const changed = Uint8Array.from(leaf.der);
    changed[changed.findLastIndex((byte, i) => byte === 0x66 && changed[i + 1] === 0x6f)]! ^= 1;
    refused(
      { chain: [{ ...leaf, der: changed }], roots: [root], name: { node: "goo" } },
      /the signature is not by the issuer's key/,
      48,
    );
  }
});

Deno.test("RSA keys that are too short are refused, of peers and of authorities", async () => {
  const short = await makeCertificate({ commonName: "CA", kind: "shortRsa", ca: true });
  const below = await makeCertificate({ commonName: "foo", issuer: short, nodeIds: ["foo"] });
  refused(
    { chain: [below], roots: [short] },
    /RSA key of 1024 bits is too short: 2048 bits or more are required" while trying to verify/,
    48,
  );
  const leaf = await makeCertificate({
    commonName: "foo",
    kind: "shortRsa",
    issuer: ca,
    nodeIds: ["foo"],
  });
  const message = /^certificate "CN=foo": RSA key of 1024 bits is too short/;
  refused({ chain: [leaf] }, message, 43);
  refused({ chain: [leaf], rules: { roots: undefined } }, message, 43);
});

Deno.test("SHA-1 is refused", async () => {
  const root = await makeCertificate({ commonName: "CA", kind: "rsaSha1", ca: true });
  const leaf = await makeCertificate({ commonName: "foo", issuer: root, nodeIds: ["foo"] });
  refused({ chain: [leaf], roots: [root] }, /insecure algorithm SHA1-RSA/, 48);
});

Deno.test("certificates before version 3 are refused, since possession of their key is not proved", async () => {
  const old = await makeVersion1({ commonName: "foo", issuer: ca });
  refused(
    { chain: [old], name: "any" },
    /certificate "CN=foo" is of X\.509 version 1, which has no place for names/,
    43,
  );
  refused({ chain: [old], rules: { roots: undefined }, name: "any" }, /X\.509 version 1/, 43);
});

Deno.test("pins of all four digests are accepted, with or without colons", () => {
  for (const digest of ["sha224", "sha256", "sha384", "sha512"]) {
    const hex = createHash(digest).update(foo.der).digest("hex");
    for (const text of [hex, hex.toUpperCase().match(/../g)!.join(":")]) {
      const pins = [parseFingerprint("00".repeat(32)), parseFingerprint(text)];
      check({ chain: [foo], rules: { pins } });
    }
  }
});

Deno.test("a certificate other than the pinned one is refused with its fingerprint", () => {
  const pins = [parseFingerprint("00".repeat(32))];
  const actual = createHash("sha256").update(foo.der).digest("hex").toUpperCase();
  refused(
    { chain: [foo], rules: { pins } },
    'presented certificate does not match any pinned fingerprint: "CN=foo" has sha256 ' +
      `${actual.match(/../g)!.join(":")} ${CONTEXT}`,
    42,
  );
});

Deno.test("a pin does not replace the CA", async () => {
  const self = await makeCertificate({ commonName: "foo", nodeIds: ["foo"] });
  const pins = [parseFingerprint(createHash("sha256").update(self.der).digest("hex"))];
  refused({ chain: [self], rules: { pins } }, /unknown authority/, 48);
});

Deno.test("with insecureskipverify only the pins count", async () => {
  const stranger = await makeCertificate({ commonName: "x", until: -1, from: -2 });
  const rules = { roots: undefined };
  check({ chain: [stranger], rules });
  const pins = [parseFingerprint("00".repeat(32))];
  refused({ chain: [stranger], rules: { ...rules, pins } }, /any pinned fingerprint/, 42);
});

Deno.test("anything that is not a certificate is refused", () => {
  for (let length = 0; length < foo.der.length; length += 7) {
    const cut = { ...foo, der: foo.der.slice(0, length) };
    refused({ chain: [cut] }, /^failed to parse certificate 1 of the chain: /, 42);
  }
  for (let i = 0; i < foo.der.length; i++) {
    const changed = Uint8Array.from(foo.der);
    changed[i]! ^= 0x55;
    assert.throws(() => check({ chain: [{ ...foo, der: changed }] }), CertificateRefused, `${i}`);
  }
});

Deno.test("an endless chain costs a bounded number of checks", async () => {
  // All with one name and different keys, so that each could have signed each.
  const ring = await Promise.all(
    Array.from({ length: 14 }, () => makeCertificate({ commonName: "Ring", ca: true })),
  );
  const leaf = await makeCertificate({ commonName: "foo", issuer: ring[0]!, nodeIds: ["foo"] });
  refused({ chain: [leaf, ...ring] }, /unknown authority/, 48);
  refused({ chain: [leaf, ...ring, ...ring] }, /chain of 29 certificates is too long/, 42);
});

Deno.test("names of other kinds do not stand in for a node id", async () => {
  const utf8 = der(Tag.utf8String, new TextEncoder().encode("foo"));
  const san = der(
    Tag.sequence,
    der(0xa0, derOid("1.3.6.1.4.1.2312.19.2"), der(0xa0, utf8)),
    der(0x82, new TextEncoder().encode("foo")),
  );
  const leaf = await makeCertificate({
    commonName: "foo",
    issuer: ca,
    extensions: [extension("2.5.29.17", false, san)],
  });
  refused({ chain: [leaf] }, /not valid for any Receptor node IDs/, 42);
});

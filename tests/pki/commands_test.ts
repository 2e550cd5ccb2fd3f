/** The certificate commands: what they make, what they refuse, and that openssl agrees. */
import assert from "node:assert/strict";
import { systemRandom as random } from "../../lib/base/random.ts";
import { certInit } from "../../lib/pki/cert_init.ts";
import { certMakeRequest, type CertMakeRequestOptions } from "../../lib/pki/cert_make_request.ts";
import { certMesh } from "../../lib/pki/cert_mesh.ts";
import { certSignRequest } from "../../lib/pki/cert_sign_request.ts";
import { type Certificate, parseCertificate } from "../../lib/pki/certificate.ts";
import { publicKeyOf } from "../../lib/pki/public_key.ts";
import type { CommandIo } from "../../lib/pki/command_io.ts";
import { formatIpAddress } from "../../lib/pki/host_name.ts";
import { loadOwnCertificate } from "../../lib/pki/own_certificate.ts";
import { formatPem, parsePem } from "../../lib/pki/pem.ts";
import { formatTime } from "../../lib/pki/time.ts";
import { TrustStore } from "../../lib/pki/trust_store.ts";
import { verifyPeer } from "../../lib/pki/verify_peer.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { makeCertificate } from "./_certificates.ts";

/** A folder to run commands in. */
class Workshop implements AsyncDisposable {
  readonly clock = new VirtualClock();
  written = "";
  readonly answers: (string | null)[] = [];
  readonly io: CommandIo = {
    write: (text) => void (this.written += text),
    readLine: () => Promise.resolve(this.answers.shift() ?? null),
  };

  private constructor(readonly folder: TempFolder) {}

  static async create(): Promise<Workshop> {
    return new Workshop(await TempFolder.create());
  }

  get deps() {
    return { clock: this.clock, random, io: this.io };
  }

  path(name: string): string {
    return this.folder.join(name);
  }

  init(options: object = {}): Promise<void> {
    const [outCert, outKey] = [this.path("ca.crt"), this.path("ca.key")];
    const common = { commonName: "Test CA", keyType: "ec", outCert, outKey };
    return certInit(this.deps, { ...common, ...options });
  }

  makeRequest(options: Partial<CertMakeRequestOptions> = {}): Promise<void> {
    const [outReq, outKey] = [this.path("foo.csr"), this.path("foo.key")];
    const common = { commonName: "foo", keyType: "ec", nodeIds: ["foo"], outReq, outKey };
    return certMakeRequest({ ...common, ...options });
  }

  signRequest(options: object = {}): Promise<void> {
    const files = {
      req: this.path("foo.csr"),
      caCert: this.path("ca.crt"),
      caKey: this.path("ca.key"),
      outCert: this.path("foo.crt"),
    };
    return certSignRequest(this.deps, { ...files, verify: true, ...options });
  }

  /** Names of the files in the folder, sorted. */
  files(folder = "."): string[] {
    return [...Deno.readDirSync(this.path(folder))].map(({ name }) => name).sort();
  }

  read(name: string): string {
    return Deno.readTextFileSync(this.path(name));
  }

  certificate(name: string): Certificate {
    return parseCertificate(parsePem(this.read(name))[0]!.der);
  }

  /** Whether `cert` is valid for `node`, by its names and by the CA. */
  verify(cert: string, node: string, ca = "ca.crt"): void {
    const roots = TrustStore.fromPem(this.read(ca), ca);
    const rules = { profile: "test", peerIs: "server", roots, pins: [] } as const;
    const now = this.clock.wallTime();
    verifyPeer([this.certificate(cert).der], rules, { name: { node }, from: node, now });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.folder[Symbol.asyncDispose]();
  }
}

function refused(action: () => Promise<unknown>, expected: RegExp): Promise<void> {
  return assert.rejects(action, (error) => {
    assert.ok(error instanceof Error);
    assert.match(error.message, expected);
    return true;
  });
}

Deno.test("the three commands make a certificate that its CA vouches for", async () => {
  await using shop = await Workshop.create();
  await shop.init();
  await shop.makeRequest({
    nodeIds: ["foo", "foo2"],
    dnsNames: ["localhost"],
    ipAddresses: ["127.0.0.1", "::1"],
  });
  await shop.signRequest();
  shop.verify("foo.crt", "foo");
  shop.verify("foo.crt", "foo2");
  assert.equal(shop.written, "");

  const ca = shop.certificate("ca.crt");
  assert.equal(ca.subjectText, "CN=Test CA");
  assert.deepEqual(ca.basicConstraints, { isCa: true, maxPathLength: undefined });
  assert.equal(formatTime(ca.notBefore), "2026-11-21T00:00:00Z");
  assert.equal(formatTime(ca.notAfter), "2036-11-21T00:00:00Z");

  const { names, ...foo } = shop.certificate("foo.crt");
  assert.equal(foo.subjectText, "CN=foo");
  assert.equal(foo.basicConstraints, undefined);
  assert.deepEqual(foo.purposes, ca.purposes);
  assert.equal(formatTime(foo.notAfter), "2027-11-21T00:00:00Z");
  assert.deepEqual(names.nodeIds, ["foo", "foo2"]);
  assert.deepEqual(names.dnsNames, ["localhost"]);
  assert.deepEqual(names.ipAddresses.map(formatIpAddress), ["127.0.0.1", "::1"]);
  assert.notDeepEqual(foo.serialNumber, ca.serialNumber);
});

Deno.test("every file is private, and none is left half-written", async () => {
  await using shop = await Workshop.create();
  await shop.init();
  await shop.makeRequest();
  await shop.signRequest();
  assert.deepEqual(shop.files(), ["ca.crt", "ca.key", "foo.crt", "foo.csr", "foo.key"]);
  for (const name of shop.files()) {
    assert.equal(Deno.statSync(shop.path(name)).mode! & 0o777, 0o600, name);
  }
  const before = shop.read("ca.crt");
  await Deno.mkdir(shop.path("folder"));
  const outKey = shop.path("none/ca.key");
  await refused(() => shop.init({ outKey }), /^open .*none\/ca\.key: no such file or directory$/);
  await refused(
    () => shop.init({ outKey: shop.path("folder") }),
    /^open .*folder: is a directory$/,
  );
  assert.equal(shop.read("ca.crt"), before);
  assert.deepEqual(shop.files(), ["ca.crt", "ca.key", "folder", "foo.crt", "foo.csr", "foo.key"]);
});

Deno.test("keys are RSA of the length asked for, or on one of two curves", async () => {
  await using shop = await Workshop.create();
  const kinds: [object, string, RegExp][] = [
    [{ keyType: undefined, bits: 2048 }, "rsa", /BEGIN RSA PRIVATE KEY/],
    [{ keyType: "rsa", bits: 0 }, "rsa", /BEGIN RSA PRIVATE KEY/],
    [{ keyType: "ec" }, "ec", /BEGIN PRIVATE KEY/],
    [{ keyType: "ec", bits: 384 }, "ec", /BEGIN PRIVATE KEY/],
  ];
  for (const [options, type, label] of kinds) {
    await shop.init(options);
    assert.match(shop.read("ca.key"), label);
    await shop.makeRequest();
    await shop.signRequest();
    shop.verify("foo.crt", "foo");
    assert.equal(publicKeyOf(shop.certificate("ca.crt")).asymmetricKeyType, type);
    loadOwnCertificate({ cert: shop.path("ca.crt"), key: shop.path("ca.key") });
  }
  const bad: [object, RegExp][] = [
    [{ keyType: "rsa", bits: 1024 }, /bits of an RSA key must be 2048 to 4096, not 1024/],
    [{ keyType: "ec", bits: 255 }, /bits of an EC key must be 256 or 384, not 255/],
    [{ keyType: "dsa" }, /keytype must be rsa or ec, not "dsa"/],
    [{ commonName: "" }, /must provide CommonName/],
    [{ notBefore: "yesterday" }, /notbefore "yesterday" is not an RFC 3339 time such as/],
    [{ notAfter: "2020-01-01" }, /notafter "2020-01-01" is not an RFC 3339 time such as/],
  ];
  for (const [options, expected] of bad) await refused(() => shop.init(options), expected);
});

Deno.test("dates are used as given", async () => {
  await using shop = await Workshop.create();
  const notBefore = "2020-01-01T00:00:00+01:00";
  await shop.init({ notBefore, notAfter: "2049-12-31T00:00:00Z" });
  await shop.makeRequest();
  await shop.signRequest({ notAfter: "2050-01-01T00:00:00Z" });
  assert.equal(formatTime(shop.certificate("ca.crt").notBefore), "2019-12-31T23:00:00Z");
  assert.equal(formatTime(shop.certificate("ca.crt").notAfter), "2049-12-31T00:00:00Z");
  assert.equal(formatTime(shop.certificate("foo.crt").notAfter), "2050-01-01T00:00:00Z");
  await shop.signRequest({ notAfter: "2020-01-01T00:00:00Z" });
  assert.throws(() => shop.verify("foo.crt", "foo"), /has expired/);
});

Deno.test("a request is made with an existing key, or a new one", async () => {
  await using shop = await Workshop.create();
  await shop.makeRequest();
  const keyBefore = shop.read("foo.key");
  const inKey = shop.path("foo.key");
  const existing = { inKey, outKey: undefined, keyType: undefined };
  await shop.makeRequest(existing);
  assert.equal(shop.read("foo.key"), keyBefore);

  await Deno.writeTextFile(shop.path("two.key"), keyBefore + keyBefore);
  await Deno.writeTextFile(shop.path("empty"), "");
  const bad: [Partial<CertMakeRequestOptions>, RegExp][] = [
    [{ outKey: undefined }, /^must provide either InKey or OutKey$/],
    [{ inKey }, /^cannot use both InKey and OutKey$/],
    [{ ...existing, bits: 2048 }, /^cannot specify key bits when reading an already-existing key$/],
    [{ keyType: undefined }, /^must specify key bits when creating a new key$/],
    [{ ...existing, inKey: shop.path("none") }, /^open .*none: no such file or directory$/],
    [{ ...existing, inKey: shop.path("empty") }, /^no keys in file .*empty$/],
    [{ ...existing, inKey: shop.path("two.key") }, /^multiple keys in file .*two\.key$/],
    [{ ipAddresses: ["1.2.3"] }, /^invalid IP address: 1\.2\.3$/],
    [{ dnsNames: ["a b"] }, /^invalid DNS name: "a b"$/],
    [{ dnsNames: ["ä"] }, /^invalid DNS name: "ä"$/],
    [{ nodeIds: [""] }, /^a node id must not be empty$/],
    [{ commonName: "" }, /^must provide CommonName$/],
  ];
  for (const [options, expected] of bad) await refused(() => shop.makeRequest(options), expected);
});

Deno.test("signing shows what is asked for and asks first", async () => {
  await using shop = await Workshop.create();
  await shop.init();
  await shop.makeRequest({
    keyType: "rsa",
    bits: 2048,
    dnsNames: ["localhost"],
    ipAddresses: ["::1"],
    nodeIds: ["foo", "b\u001bar"],
  });
  shop.answers.push("Yes");
  await shop.signRequest({ verify: false });
  assert.equal(
    shop.written,
    `Requested certificate:
  Subject: CN=foo
  Encryption Algorithm: RSA (2048 bits)
  Signature Algorithm: SHA256-RSA
  Names:
    DNS Name: localhost
    IP Address: ::1
    Receptor Node ID: foo
    Receptor Node ID: b\\u001bar
Sign certificate (yes/no)? `,
  );
  await Deno.remove(shop.path("foo.crt"));
  for (const answer of ["no", "", "yesterday", null]) {
    shop.answers.push(answer);
    await refused(() => shop.signRequest({ verify: false }), /^user declined/);
  }
  assert.ok(!shop.files().includes("foo.crt"));
});

Deno.test("what cannot be signed, or not with these files, is refused", async () => {
  await using shop = await Workshop.create();
  await shop.init();
  await shop.makeRequest();
  await shop.signRequest();
  const write = async (name: string, contents: string) => {
    await Deno.writeTextFile(shop.path(name), contents);
    return shop.path(name);
  };
  await shop.makeRequest({ nodeIds: [], outReq: shop.path("nameless.csr") });
  const request = parsePem(shop.read("foo.csr"))[0]!.der;
  // A name other than the one that was signed.
  const forged = Uint8Array.from(request);
  forged[forged.findLastIndex((byte, i) => byte === 0x66 && forged[i + 1] === 0x6f)]! ^= 1;
  await write("forged.csr", formatPem("CERTIFICATE REQUEST", forged));
  await write("cut.csr", formatPem("CERTIFICATE REQUEST", request.slice(0, 50)));
  await write("two.csr", shop.read("foo.csr") + shop.read("foo.csr"));
  await write("empty", "");
  const path = (name: string) => shop.path(name);

  const bad: [object, RegExp][] = [
    [{ req: path("nameless.csr") }, /^cannot sign: no names found in certificate$/],
    [
      { req: path("forged.csr") },
      /^cannot use the certificate request in .*forged\.csr: x509: the sig/,
    ],
    [
      { req: path("cut.csr") },
      /^cannot use the certificate request in .*cut\.csr: data ends early$/,
    ],
    [{ req: path("two.csr") }, /^certificate request file should contain exactly one item: /],
    [
      { req: path("foo.crt") },
      /^certificate request file does not contain certificate request data: /,
    ],
    [{ req: path("empty") }, /^failed to decode PEM block: /],
    [{ req: path("none") }, /^open .*none: no such file or directory$/],
    [{ caCert: path("none") }, /^open .*none: no such file or directory$/],
    [{ caCert: path("foo.csr") }, /^certificate file does not contain certificate data: /],
    [
      { caCert: path("foo.crt"), caKey: path("foo.key") },
      /^"CN=foo" in .*foo\.crt is not the certificate of an authority$/,
    ],
    [{ caKey: path("ca.crt") }, /^private key file does not contain private key data: /],
    [
      { caKey: path("foo.key") },
      /^x509: provided PrivateKey doesn't match parent's PublicKey: .*foo\.key is not the key of .*ca\.crt$/,
    ],
    [{ notAfter: "x" }, /^notafter "x" is not an RFC 3339 time/],
  ];
  for (const [options, expected] of bad) await refused(() => shop.signRequest(options), expected);
});

Deno.test("a mesh gets its authority and a certificate for each node in one go", async () => {
  await using shop = await Workshop.create();
  const outDir = shop.path("tls");
  const nodes = ["foo", "bar=bar.example.org, 192.0.2.1,2001:db8::1", "ex_ec-1.example.org"];
  await certMesh(shop.deps, { nodes, outDir, keyType: "ec" });
  assert.deepEqual(
    shop.files("tls"),
    ["bar", "ca", "ex_ec-1.example.org", "foo"].flatMap((name) => [`${name}.crt`, `${name}.key`]),
  );
  assert.equal(Deno.statSync(outDir).mode! & 0o777, 0o700);
  assert.match(shop.written, /^made .*ca\.crt and .*ca\.key\nmade .*foo\.crt and .*foo\.key\n/);
  for (const node of ["foo", "bar", "ex_ec-1.example.org"]) {
    shop.verify(`tls/${node}.crt`, node, "tls/ca.crt");
    loadOwnCertificate({ cert: `${outDir}/${node}.crt`, key: `${outDir}/${node}.key` });
  }
  const { names } = shop.certificate("tls/bar.crt");
  assert.deepEqual(names.dnsNames, ["bar", "bar.example.org"]);
  assert.deepEqual(names.ipAddresses.map(formatIpAddress), ["192.0.2.1", "2001:db8::1"]);
  assert.deepEqual(shop.certificate("tls/foo.crt").names.dnsNames, ["foo"]);
  assert.equal(shop.certificate("tls/ca.crt").subjectText, "CN=Receptor mesh CA");
});

Deno.test("a mesh can grow: existing files stay as they are", async () => {
  await using shop = await Workshop.create();
  const outDir = shop.path("tls");
  await certMesh(shop.deps, { nodes: ["foo"], outDir, keyType: "ec", commonName: "Mine" });
  const before = ["ca.crt", "ca.key", "foo.crt", "foo.key"].map((name) => shop.read(`tls/${name}`));
  shop.written = "";
  const notAfter = "2030-01-01T00:00:00Z";
  await certMesh(shop.deps, { nodes: ["foo", "bar"], outDir, keyType: "ec", notAfter });
  const after = ["ca.crt", "ca.key", "foo.crt", "foo.key"].map((name) => shop.read(`tls/${name}`));
  assert.deepEqual(after, before);
  shop.verify("tls/bar.crt", "bar", "tls/ca.crt");
  assert.equal(formatTime(shop.certificate("tls/bar.crt").notAfter), notAfter);
  assert.match(shop.written, /^kept .*ca\.crt\nkept .*foo\.crt\nmade .*bar\.crt and .*bar\.key\n$/);
});

Deno.test("a mesh of nodes that cannot name files, or of none, is refused", async () => {
  await using shop = await Workshop.create();
  const outDir = shop.path("tls");
  const bad: [string[], RegExp][] = [
    [[], /^must provide at least one node$/],
    [["../x"], /^node "\.\.\/x": "\.\.\/x" cannot name a file; use cert-makereq for this one$/],
    [[""], /cannot name a file/],
    [[".hidden"], /cannot name a file/],
    [["ca"], /cannot name a file/],
    [["foo=a b"], /^node "foo=a b": "a b" is neither a host name nor an address$/],
    [["foo=a,,b"], /"" is neither a host name nor an address$/],
  ];
  for (const [nodes, expected] of bad) {
    await refused(() => certMesh(shop.deps, { nodes, outDir, keyType: "ec" }), expected);
  }
  assert.deepEqual(shop.files(), []);
});

const openssl = await new Deno.Command("openssl", { args: ["version"], stdout: "null" }).output()
  .then(({ success }) => success, () => false);

async function run(...args: string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command("openssl", { args }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test({
  name: "openssl accepts what the commands make (needs openssl)",
  ignore: !openssl,
  async fn() {
    await using shop = await Workshop.create();
    for (const keyType of ["rsa", "ec"]) {
      await shop.init({ keyType });
      await shop.makeRequest({ keyType, bits: keyType === "rsa" ? 2048 : 256, dnsNames: ["foo"] });
      await shop.signRequest();
      const path = (name: string) => shop.path(name);
      assert.match(await run("req", "-in", path("foo.csr"), "-noout", "-verify"), /verify OK/);
      assert.equal(
        await run("verify", "-x509_strict", "-CAfile", path("ca.crt"), path("foo.crt")),
        `${path("foo.crt")}: OK\n`,
      );
      assert.match(
        await run("x509", "-in", path("foo.crt"), "-noout", "-ext", "subjectAltName"),
        /DNS:foo, othername: 1\.3\.6\.1\.4\.1\.2312\.19\.1::foo/,
      );
      assert.match(await run("pkey", "-in", path("foo.key"), "-noout", "-check"), /valid/);
    }
  },
});

Deno.test({
  name: "what openssl makes is read: requests, and keys in its older form (needs openssl)",
  ignore: !openssl,
  async fn() {
    await using shop = await Workshop.create();
    await shop.init();
    const [key, csr] = [shop.path("foo.key"), shop.path("foo.csr")];
    await run("ecparam", "-name", "prime256v1", "-genkey", "-out", key);
    assert.match(shop.read("foo.key"), /EC PARAMETERS[^]*BEGIN EC PRIVATE KEY/);
    const name = "subjectAltName=otherName:1.3.6.1.4.1.2312.19.1;UTF8:foo";
    await run("req", "-new", "-key", key, "-subj", "/O=X/CN=foo", "-addext", name, "-out", csr);
    await shop.signRequest();
    shop.verify("foo.crt", "foo");
    assert.equal(shop.certificate("foo.crt").subjectText, "CN=foo,O=X");
    loadOwnCertificate({ cert: shop.path("foo.crt"), key });
    await shop.makeRequest({ inKey: key, outKey: undefined, keyType: undefined });
  },
});

Deno.test("a certificate made by the library signs for us", async () => {
  await using shop = await Workshop.create();
  const ca = await makeCertificate({ commonName: "X", kind: "ed25519", ca: true });
  await Deno.writeTextFile(shop.path("ca.crt"), ca.cert);
  await Deno.writeTextFile(shop.path("ca.key"), ca.key);
  await shop.makeRequest();
  await shop.signRequest();
  shop.verify("foo.crt", "foo");
});

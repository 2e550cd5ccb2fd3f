/** Profiles: what they refuse at the start, and that they follow their files. */
import assert from "node:assert/strict";
import { CertificateRefused } from "../../lib/quic/tls.ts";
import type { PkiObserver } from "../../lib/pki/observer.ts";
import { TlsProfiles } from "../../lib/pki/tls_profiles.ts";
import { DAY_MS, makeCertificate, NOW } from "./_certificates.ts";
import { CertificateFolder, without } from "./_files.ts";

const ca = await makeCertificate({ commonName: "CA", ca: true });
const otherCa = await makeCertificate({ commonName: "Other CA", ca: true });
const foo = await makeCertificate({ commonName: "foo", issuer: ca, nodeIds: ["foo"] });
const bar = await makeCertificate({ commonName: "bar", issuer: ca, nodeIds: ["bar"] });

/** Files of foo, bar and the CA, and the profiles of node foo. */
async function setUp(observer?: PkiObserver) {
  const folder = await CertificateFolder.create();
  const { clock, log } = folder;
  return {
    folder,
    foo: await folder.writePair("foo", foo),
    bar: await folder.writePair("bar", bar),
    ca: await folder.write("ca.crt", ca.cert),
    profiles: new TlsProfiles({ clock, log, nodeId: "foo", observer }),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}
type Setting = Awaited<ReturnType<typeof setUp>>;

function message(folder: CertificateFolder, action: () => unknown): string {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof Error);
    return without(folder, error.message);
  }
  assert.fail("nothing was thrown");
}

Deno.test("a certificate that does not name this node is refused at the start", async () => {
  await using setting = await setUp();
  const { folder, profiles, bar } = setting;
  assert.equal(
    message(folder, () => profiles.addServer({ name: "s", ...bar })),
    "error preparing tls server config: nodeID=foo not found in certificate name(s); " +
      "names found=[bar]; cfg section=s; server cert=bar.crt",
  );
  assert.equal(
    message(folder, () => profiles.addClient({ name: "c", ...bar })),
    "error preparing tls client config: nodeID=foo not found in certificate name(s); " +
      "names found=[bar]; cfg section=c; server cert=bar.crt",
  );
  profiles.addServer({ name: "s", ...bar, skipReceptorNamesCheck: true });
  profiles.addClient({ name: "c", ...bar, skipReceptorNamesCheck: true });
});

Deno.test("every problem with a file is reported with the file's name", async () => {
  await using setting = await setUp();
  const { folder, profiles } = setting;
  await folder.write("empty", "");
  await folder.write("both.pem", foo.key + foo.cert);
  await folder.write(
    "encrypted.key",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
  );
  await folder.write(
    "old-encrypted.key",
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n" +
      "MAA=\n-----END RSA PRIVATE KEY-----\n",
  );
  await folder.write("bad.key", "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n");
  await folder.write("bad.crt", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
  await folder.write(
    "dsa.key",
    "-----BEGIN DSA PRIVATE KEY-----\nMAA=\n-----END DSA PRIVATE KEY-----",
  );
  const rsa = await makeCertificate({ commonName: "rsa", kind: "rsa", nodeIds: ["foo"] });
  await folder.writePair("rsa", rsa);
  const open = (name: string) => folder.path(name);

  const faults: [cert: string, key: string, expected: RegExp][] = [
    ["none.crt", "foo.key", /open none\.crt: no such file or directory$/],
    ["foo.crt", "none.key", /open none\.key: no such file or directory$/],
    ["", "foo.key", /open .*: (is a directory|.*)$/],
    ["empty", "foo.key", /tls: failed to find any PEM data in certificate input: cert=empty$/],
    ["foo.crt", "empty", /tls: failed to find any PEM data in key input: key=empty$/],
    [
      "foo.key",
      "foo.key",
      /failed to find certificate PEM data .* but did find a private key; PEM inputs may have been switched: cert=foo\.key$/,
    ],
    [
      "foo.crt",
      "foo.crt",
      /tls: found a certificate rather than a key in the PEM for the private key: key=foo\.crt$/,
    ],
    [
      "foo.crt",
      "bar.key",
      /tls: private key does not match public key: key=bar\.key is not the key of cert=foo\.crt$/,
    ],
    [
      "foo.crt",
      "rsa.key",
      /tls: private key type does not match public key type: cert=foo\.crt is for ec, key=rsa\.key is rsa$/,
    ],
    [
      "foo.crt",
      "encrypted.key",
      /the private key in encrypted\.key is encrypted, .*openssl pkey -in encrypted\.key/,
    ],
    ["foo.crt", "old-encrypted.key", /the private key in old-encrypted\.key is encrypted/],
    ["foo.crt", "bad.key", /tls: failed to parse private key: key=bad\.key: /],
    ["foo.crt", "dsa.key", /dsa\.key holds a "DSA PRIVATE KEY", expected one of "PRIVATE KEY"/],
    ["bad.crt", "foo.key", /tls: failed to parse certificate 1 of cert=bad\.crt: /],
  ];
  for (const [cert, key, expected] of faults) {
    const options = { name: "s", cert: open(cert), key: open(key) };
    const text = message(folder, () => profiles.addServer(options));
    assert.match(text, /^error preparing tls server config: /);
    assert.match(text, expected);
  }
  profiles.addServer({ name: "s", cert: open("both.pem"), key: open("both.pem") });
});

Deno.test("problems with the other parameters are reported too", async () => {
  await using setting = await setUp();
  const { folder, profiles, foo } = setting;
  await folder.write("empty", "");
  const server = (extra: object) => () => profiles.addServer({ name: "s", ...foo, ...extra });
  const client = (extra: object) => () => profiles.addClient({ name: "c", ...extra });
  const faults: [() => unknown, RegExp][] = [
    [
      server({ clientCas: folder.path("none") }),
      /^error preparing tls server config: error reading client CAs file: open none: no such/,
    ],
    [
      server({ clientCas: folder.path("empty") }),
      /error reading client CAs file: no certificate found in empty: /,
    ],
    [
      server({ pinnedClientCert: ["zz"] }),
      /error decoding fingerprints: error decoding fingerprint: "zz" is not hexadecimal$/,
    ],
    [
      server({ pinnedClientCert: ["abcd"] }),
      /error decoding fingerprints: fingerprints must be 28, 32, 48 or 64 bytes .* this one has 2: "abcd"$/,
    ],
    [server({ name: "" }), /must provide a name$/],
    [
      client({ rootCas: folder.path("none") }),
      /^error preparing tls client config: error reading root CAs file: open none: no such/,
    ],
    [client({ cert: foo.cert }), /cert and key must both be supplied or neither$/],
    [client({ key: foo.key, cert: "" }), /cert and key must both be supplied or neither$/],
    [client({ pinnedServerCert: ["00"] }), /error decoding fingerprints: /],
    [() => profiles.server("x"), /^unknown TLS config x: there is none$/],
  ];
  for (const [action, expected] of faults) assert.match(message(folder, action), expected);
  profiles.addClient({ name: "c", cert: "", key: "" });
  assert.equal(
    message(folder, () => profiles.client("x")),
    "unknown TLS config x: known names are c",
  );
});

Deno.test("pins that would never be checked cause a warning", async () => {
  await using setting = await setUp();
  const { folder, profiles, foo, ca } = setting;
  const pinnedClientCert = ["00".repeat(32)];
  profiles.addServer({ name: "s", ...foo, pinnedClientCert });
  assert.deepEqual(folder.log.take(), [
    "warning tls-server s: pinnedclientcert has no effect without requireclientcert or clientcas",
  ]);
  profiles.addServer({ name: "s", ...foo, pinnedClientCert, clientCas: ca });
  assert.deepEqual(folder.log.take(), []);
});

Deno.test("an authority that cannot be read is left out with a warning", async () => {
  await using setting = await setUp();
  const { folder, profiles } = setting;
  const broken = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
  const rootCas = await folder.write("mixed.crt", ca.cert + broken + otherCa.cert);
  const client = profiles.addClient({ name: "c", rootCas });
  const lines = folder.log.take().map((line) => without(folder, line));
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /^warning tls-client c: certificate 2 in mixed\.crt left out: /);
  assert.equal(refusal(() => client.mesh.verifyServer([bar.der], "bar")), "accepted");
});

function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof CertificateRefused);
    return error.message;
  }
  return "accepted";
}

Deno.test("a mesh server checks a client's node id only with requireclientcert", async () => {
  await using setting = await setUp();
  const { profiles, foo: files, ca } = setting;
  const required = profiles.addServer({
    name: "r",
    ...files,
    clientCas: ca,
    requireClientCert: true,
  });
  const trusted = profiles.addServer({ name: "t", ...files, clientCas: ca });
  const open = profiles.addServer({ name: "o", ...files });
  assert.equal(refusal(() => required.mesh.verifyClient!([bar.der], "bar")), "accepted");
  assert.match(
    refusal(() => required.mesh.verifyClient!([bar.der], "baz")),
    /^x509: certificate is valid for Receptor node ID bar, not baz: .* \(client node baz, tls-server r\)$/,
  );
  assert.equal(refusal(() => trusted.mesh.verifyClient!([bar.der], "baz")), "accepted");
  assert.match(refusal(() => trusted.mesh.verifyClient!([], "baz")), /^peer certificate missing/);
  assert.equal(open.mesh.verifyClient, undefined);
  assert.deepEqual(
    [required, trusted, open].map((profile) => profile.wantsClientCertificate),
    [true, true, false],
  );
  assert.deepEqual(required.mesh.identity.chain, [foo.der]);
});

Deno.test("a mesh client checks the node that it dials", async () => {
  await using setting = await setUp();
  const { profiles, ca } = setting;
  const client = profiles.addClient({ name: "c", rootCas: ca });
  assert.equal(refusal(() => client.mesh.verifyServer([bar.der], "bar")), "accepted");
  assert.match(
    refusal(() => client.mesh.verifyServer([bar.der], "foo")),
    /valid for Receptor node ID bar, not foo: .* \(server node foo, tls-client c\)$/,
  );
  assert.equal(client.mesh.identity, undefined);
  const careless = profiles.addClient({ name: "i", insecureSkipVerify: true });
  assert.equal(refusal(() => careless.mesh.verifyServer([bar.der], "foo")), "accepted");
});

Deno.test("without rootcas the authorities of the machine are trusted", async () => {
  await using setting = await setUp();
  const { folder } = setting;
  const { clock, log } = folder;
  const profiles = new TlsProfiles({ clock, log, nodeId: "foo", systemCertFile: setting.ca });
  const system = profiles.addClient({ name: "c" });
  assert.equal(refusal(() => system.mesh.verifyServer([bar.der], "bar")), "accepted");
  const stranger = await makeCertificate({ commonName: "x", issuer: otherCa, nodeIds: ["x"] });
  assert.match(
    without(folder, refusal(() => system.mesh.verifyServer([stranger.der], "x"))),
    /system trust \(ca\.crt\) has "CN=CA"/,
  );
});

Deno.test("the client profile `default` always exists", async () => {
  await using setting = await setUp();
  const { profiles } = setting;
  assert.equal(profiles.client("default").certificate, undefined);
  assert.equal(profiles.client("default"), profiles.client("default"));
  const own = profiles.addClient({ name: "default", ...setting.foo });
  assert.equal(profiles.client("default"), own);
});

async function renew(setting: Setting, until: number) {
  const renewed = await makeCertificate({ commonName: "foo", issuer: ca, nodeIds: ["foo"], until });
  await setting.folder.writePair("foo", renewed);
  return renewed;
}

Deno.test("renewed files are read again, with no restart", async () => {
  await using setting = await setUp();
  const { folder: { clock, log }, profiles, foo: files } = setting;
  const server = profiles.addServer({ name: "s", ...files });
  const client = profiles.addClient({ name: "c", ...files, rootCas: setting.ca });
  const { mesh } = server;
  const context = server.secureContext;
  assert.deepEqual(mesh.identity.chain, [foo.der]);

  const renewed = await renew(setting, 700);
  // Within a second of the last check there is no new one.
  assert.deepEqual(mesh.identity.chain, [foo.der]);
  assert.equal(server.secureContext, context);
  await clock.advance(1000);
  assert.deepEqual(mesh.identity.chain, [renewed.der]);
  assert.deepEqual(client.mesh.identity?.chain, [renewed.der]);
  assert.notEqual(server.secureContext, context);
  assert.equal(server.secureContext, server.secureContext);
  assert.equal(server.expiresAt, NOW + 700 * DAY_MS);
  assert.deepEqual(log.take(), [
    "info tls-server s: files changed and were read again",
    "info tls-client c: files changed and were read again",
  ]);
});

Deno.test("a changed CA bundle is read again", async () => {
  await using setting = await setUp();
  const { folder, profiles } = setting;
  const client = profiles.addClient({ name: "c", rootCas: setting.ca });
  const server = profiles.addServer({ name: "s", ...setting.foo, clientCas: setting.ca });
  const stranger = await makeCertificate({ commonName: "x", issuer: otherCa, nodeIds: ["x"] });
  assert.match(refusal(() => client.mesh.verifyServer([stranger.der], "x")), /unknown authority/);
  await folder.write("ca.crt", ca.cert + otherCa.cert);
  await folder.clock.advance(1000);
  assert.equal(refusal(() => client.mesh.verifyServer([stranger.der], "x")), "accepted");
  assert.equal(refusal(() => server.verifyClient([stranger.der], "tcp")), "accepted");
});

Deno.test("broken new files leave the old ones in use, with one warning", async () => {
  await using setting = await setUp();
  const { folder, profiles } = setting;
  const { clock, log } = folder;
  const { mesh } = profiles.addServer({ name: "s", ...setting.foo });
  const replacements: [() => Promise<unknown>, RegExp][] = [
    [() => folder.write("foo.crt", "no PEM"), /failed to find any PEM data in certificate input/],
    [() => folder.writePair("foo", bar), /nodeID=foo not found .* names found=\[bar\]/],
    [() => folder.write("foo.crt", foo.cert), /private key does not match public key/],
    [() => Deno.remove(folder.path("foo.key")), /open foo\.key: no such file or directory/],
  ];
  for (const [replace, expected] of replacements) {
    await replace();
    for (let look = 0; look < 3; look++) {
      await clock.advance(1000);
      assert.deepEqual(mesh.identity.chain, [foo.der]);
    }
    const lines = log.take().map((line) => without(folder, line));
    assert.equal(lines.length, 1, `${lines}`);
    assert.match(lines[0]!, /^warning tls-server s: files changed, but the old ones stay in use: /);
    assert.match(lines[0]!, expected);
  }
  const renewed = await renew(setting, 100);
  await clock.advance(1000);
  assert.deepEqual(mesh.identity.chain, [renewed.der]);
  assert.deepEqual(log.take(), ["info tls-server s: files changed and were read again"]);
});

Deno.test("files behind a symbolic link are followed when it points elsewhere", async () => {
  await using setting = await setUp();
  const { folder, profiles } = setting;
  for (const version of ["v1", "v2"]) await Deno.mkdir(folder.path(version));
  const renewed = await makeCertificate({ commonName: "foo", issuer: ca, nodeIds: ["foo"] });
  await folder.writePair("v1/tls", foo);
  await folder.writePair("v2/tls", renewed);
  await Deno.symlink("v1", folder.path("now"));
  const [cert, key] = [folder.path("now/tls.crt"), folder.path("now/tls.key")];
  const { mesh } = profiles.addServer({ name: "s", cert, key });
  await Deno.symlink("v2", folder.path("next"));
  await Deno.rename(folder.path("next"), folder.path("now"));
  await folder.clock.advance(1000);
  assert.deepEqual(mesh.identity.chain, [renewed.der]);
});

Deno.test("certificates close to expiry cause a warning, once per file and twice a day", async () => {
  const told: string[] = [];
  await using setting = await setUp({
    certificateNearItsEnd({ subject, leftMs }) {
      told.push(`${subject} ${leftMs / DAY_MS}`);
      // No reader may stop the watch.
      throw new Error("a broken observer");
    },
  });
  const { folder, profiles } = setting;
  const { clock, log } = folder;
  const short = await makeCertificate({
    commonName: "foo",
    issuer: ca,
    nodeIds: ["foo"],
    until: 31,
  });
  const files = await folder.writePair("foo", short);
  const shortCa = await makeCertificate({ commonName: "Old CA", ca: true, until: 1.5 });
  const goneCa = await makeCertificate({ commonName: "Gone CA", ca: true, until: -0.5 });
  const rootCas = await folder.write("cas.crt", shortCa.cert + goneCa.cert + ca.cert);
  profiles.addServer({ name: "s", ...files });
  profiles.addClient({ name: "c", ...files, rootCas });
  const taken = () =>
    log.take()
      .filter((line) => !line.includes("a broken observer"))
      .map((line) => without(folder, line));
  {
    using _watch = profiles.watchExpiry();
    const ofTheCa = (when: string) =>
      `warning certificate "CN=Old CA" in cas.crt expires in ${when}, on 2026-11-22T12:00:00Z`;
    assert.deepEqual(taken(), [ofTheCa("1 day")]);
    await clock.advance(DAY_MS / 2);
    assert.deepEqual(taken(), [ofTheCa("1 day")]);
    await clock.advance(DAY_MS / 2);
    assert.deepEqual(taken(), [
      'warning certificate "CN=foo" in foo.crt expires in 30 days, on 2026-12-22T00:00:00Z',
      ofTheCa("less than a day"),
    ]);
    assert.deepEqual(told, ["CN=Old CA 1.5", "CN=Old CA 1", "CN=foo 30", "CN=Old CA 0.5"]);
    await clock.advance(31 * DAY_MS);
    assert.match(taken().at(-1)!, /"CN=foo" in foo\.crt expired on 2026-12-22T00:00:00Z$/);
  }
  await clock.advance(DAY_MS);
  assert.deepEqual(taken(), []);
  assert.equal(clock.pending, 0);
});

Deno.test("the status shows each profile's certificate", async () => {
  await using setting = await setUp();
  const { folder, profiles, foo } = setting;
  profiles.addServer({ name: "s", ...foo });
  profiles.addClient({ name: "c", rootCas: setting.ca });
  profiles.addClient({ name: "d", ...foo });
  const common = { Cert: folder.path("foo.crt"), Subject: "CN=foo", NodeIDs: ["foo"] };
  assert.deepEqual(profiles.status(), [
    { Kind: "tls-server", Name: "s", ...common, NotAfter: "2027-11-21T00:00:00Z" },
    { Kind: "tls-client", Name: "d", ...common, NotAfter: "2027-11-21T00:00:00Z" },
  ]);
});

Deno.test("intermediates in the certificate file are sent along, and count for its expiry", async () => {
  await using setting = await setUp();
  const { folder, profiles } = setting;
  const middle = await makeCertificate({ commonName: "Middle", issuer: ca, ca: true, until: 50 });
  const leaf = await makeCertificate({ commonName: "foo", issuer: middle, nodeIds: ["foo"] });
  const server = profiles.addServer({ name: "s", ...await folder.writePair("leaf", leaf, middle) });
  assert.deepEqual(server.mesh.identity.chain, [leaf.der, middle.der]);
  assert.equal(server.expiresAt, NOW + 50 * DAY_MS);
});

Deno.test("a key that cannot be used for mesh streams causes a warning", async () => {
  await using setting = await setUp();
  const { folder, profiles } = setting;
  const large = await makeCertificate({ commonName: "foo", kind: "p521", nodeIds: ["foo"] });
  profiles.addServer({ name: "s", ...await folder.writePair("large", large) });
  assert.deepEqual(folder.log.take().map((line) => without(folder, line)), [
    "warning tls-server s: the key in large.key is on curve P-521, which secures links but not " +
    "streams over the mesh: use P-256, P-384 or RSA",
  ]);
});

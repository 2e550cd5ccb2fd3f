/** TLS on TCP links between our mesh node and Go daemons: what comes up, and what must not. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { TlsClientOptions, TlsServerOptions } from "../../lib/pki/tls_options.ts";
import { parsePem } from "../../lib/pki/pem.ts";
import { makeCertificate } from "../pki/_certificates.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import { freePort } from "../support/ports.ts";
import { type Files, goTls, OwnTlsNode, TestPki } from "./_tls_nodes.ts";

const kinds = ["go"] as const;
const NO_FILES = { cert: "", key: "" } as const;

function pinOf(file: string, digest: string): string {
  const { der } = parsePem(Deno.readTextFileSync(file))[0]!;
  const hex = createHash(digest).update(der).digest("hex").toUpperCase();
  return hex.match(/../g)!.join(":");
}

/**
 * One case of a link: what both sides are configured with, and the lines in both logs if it must
 * fail.
 */
interface LinkCase {
  readonly name: string;
  /** Files of the listener and the dialler, and what else their profiles say. */
  readonly setUp: (pki: TestPki) => Promise<{
    listener: Files;
    dialler: Files | typeof NO_FILES;
    server?: Record<string, unknown>;
    client?: Record<string, unknown>;
  }>;
  /** What the listener and the dialler log; without it, the link comes up. */
  readonly refused?: {
    /** Where Go listens and we dial. */
    readonly weDial: { readonly ours: RegExp; readonly go?: RegExp };
    /** Where we listen and Go dials. */
    readonly goDials: { readonly ours: RegExp; readonly go: RegExp };
  };
}

/** All that a Go node is told by our TLS peer that refuses its certificate: the end. */
const CUT = /Backend connection exited \(will retry\)/;

const CASES: readonly LinkCase[] = [
  {
    name: "each side's certificate is checked",
    setUp: async (pki) => ({
      listener: await pki.files("listener"),
      dialler: await pki.files("dialler"),
      server: { requireclientcert: true, clientcas: pki.ca },
    }),
  },
  {
    name: "only the server has a certificate",
    setUp: async (pki) => ({ listener: await pki.files("listener"), dialler: NO_FILES }),
  },
  {
    name: "TLS 1.2 is enough without mintls13",
    setUp: async (pki) => ({
      listener: await pki.files("listener"),
      dialler: await pki.files("dialler"),
      server: { mintls13: false, clientcas: pki.ca },
      client: { mintls13: false },
    }),
  },
  {
    name: "RSA keys",
    setUp: async (pki) => {
      const kind = "rsa";
      return {
        listener: await pki.files("listener", { kind }),
        dialler: await pki.files("dialler", { kind }),
        server: { requireclientcert: true, clientcas: pki.ca, mintls13: false },
      };
    },
  },
  {
    name: "certificates from an intermediate authority",
    setUp: async (pki) => {
      const now = Date.now();
      const middle = await makeCertificate({
        commonName: "Middle",
        issuer: pki.authority,
        ca: true,
        now,
      });
      const make = async (name: string) => {
        const names = { nodeIds: [name], ipAddresses: ["127.0.0.1"] };
        const leaf = await makeCertificate({ commonName: name, issuer: middle, now, ...names });
        return await pki.write(name, leaf, middle);
      };
      return {
        listener: await make("listener"),
        dialler: await make("dialler"),
        server: { requireclientcert: true, clientcas: pki.ca },
      };
    },
  },
  {
    name: "pinned certificates that are the right ones",
    setUp: async (pki) => {
      const [listener, dialler] = [await pki.files("listener"), await pki.files("dialler")];
      return {
        listener,
        dialler,
        server: { clientcas: pki.ca, pinnedclientcert: [pinOf(dialler.cert, "sha512")] },
        client: { pinnedservercert: [pinOf(listener.cert, "sha256")] },
      };
    },
  },
  {
    name: "a server of another CA",
    setUp: async (pki) => ({
      listener: await pki.files("listener", { issuer: pki.stranger }),
      dialler: await pki.files("dialler"),
    }),
    refused: {
      weDial: {
        ours:
          /x509: certificate signed by unknown authority: "CN=listener" was issued by "CN=Stranger", \S+ca\.crt has "CN=Test CA" \(server .*127\.0\.0\.1:\d+.*, tls-client client\)/,
      },
      goDials: {
        ours: /unknown ?ca|bad ?certificate/i,
        go: /x509: certificate signed by unknown authority/,
      },
    },
  },
  {
    name: "a server for another host",
    setUp: async (pki) => ({
      listener: await pki.files("listener", { ipAddresses: ["192.0.2.1"] }),
      dialler: await pki.files("dialler"),
    }),
    refused: {
      weDial: {
        ours: /x509: certificate is valid for localhost, 192\.0\.2\.1, not 127\.0\.0\.1/,
      },
      goDials: {
        ours: /bad ?certificate/i,
        go: /x509: certificate is valid for 192\.0\.2\.1, not 127\.0\.0\.1/,
      },
    },
  },
  {
    name: "an expired server",
    setUp: async (pki) => ({
      listener: await pki.files("listener", { from: -2, until: -1 }),
      dialler: await pki.files("dialler"),
    }),
    refused: {
      weDial: {
        ours: /x509: certificate has expired or is not yet valid: current time .* is after/,
      },
      goDials: {
        ours: /expired|bad ?certificate/i,
        go: /x509: certificate has expired or is not yet valid/,
      },
    },
  },
  {
    name: "a server that is not the pinned one",
    setUp: async (pki) => ({
      listener: await pki.files("listener"),
      dialler: await pki.files("dialler"),
      client: { pinnedservercert: ["00".repeat(32)] },
    }),
    refused: {
      weDial: {
        ours:
          /presented certificate does not match any pinned fingerprint: "CN=listener" has sha256 /,
      },
      goDials: {
        ours: /bad ?certificate/i,
        go: /presented certificate does not match any pinned fingerprint/,
      },
    },
  },
  {
    name: "a client of another CA",
    setUp: async (pki) => ({
      listener: await pki.files("listener"),
      dialler: await pki.files("dialler", { issuer: pki.stranger }),
      server: { requireclientcert: true, clientcas: pki.ca },
    }),
    refused: {
      weDial: {
        ours: /closed|unknown ?ca|EOF|ended|reset/i,
        go: /failed to verify certificate: x509: certificate signed by unknown authority/,
      },
      goDials: {
        ours:
          /Refused connection from 127\.0\.0\.1:\d+: x509: certificate signed by unknown authority: "CN=dialler" was issued by "CN=Stranger", .* \(client .*, tls-server server\)/,
        go: CUT,
      },
    },
  },
  {
    name: "an expired client",
    setUp: async (pki) => ({
      listener: await pki.files("listener"),
      dialler: await pki.files("dialler", { from: -2, until: -1 }),
      server: { clientcas: pki.ca },
    }),
    refused: {
      weDial: { ours: /closed|expired|ended|reset/i, go: /certificate has expired/ },
      goDials: {
        ours: /Refused connection from .*: x509: certificate has expired or is not yet valid/,
        go: CUT,
      },
    },
  },
  {
    name: "a client without a certificate",
    setUp: async (pki) => ({
      listener: await pki.files("listener"),
      dialler: NO_FILES,
      server: { requireclientcert: true, clientcas: pki.ca },
    }),
    refused: {
      weDial: {
        ours: /closed|CertificateRequired|ended|reset/i,
        go: /tls: client didn't provide a certificate/,
      },
      goDials: {
        ours: /Refused connection from .*: .*peer sent no certificates/,
        go: /tls: certificate required|EOF/,
      },
    },
  },
  {
    name: "a client without a certificate where clientcas alone is set",
    setUp: async (pki) => ({
      listener: await pki.files("listener"),
      dialler: NO_FILES,
      server: { clientcas: pki.ca },
    }),
    refused: {
      weDial: { ours: /closed|BadCertificate|ended|reset/i, go: /peer certificate missing/ },
      goDials: {
        ours: /Refused connection from .*: .*peer sent no certificates/,
        go: /tls: certificate required|EOF/,
      },
    },
  },
  {
    name: "a client that is not the pinned one",
    setUp: async (pki) => ({
      listener: await pki.files("listener"),
      dialler: await pki.files("dialler"),
      server: { clientcas: pki.ca, pinnedclientcert: ["00".repeat(64)] },
    }),
    refused: {
      weDial: {
        ours: /closed|BadCertificate|ended|reset/i,
        go: /presented certificate does not match any pinned fingerprint/,
      },
      goDials: {
        ours:
          /Refused connection .* does not match any pinned fingerprint: "CN=dialler" has sha512/,
        go: CUT,
      },
    },
  },
  {
    name: "a client whose certificate is for servers only",
    setUp: async (pki) => ({
      listener: await pki.files("listener"),
      dialler: await pki.files("dialler", { purposes: ["1.3.6.1.5.5.7.3.1"] }),
      server: { requireclientcert: true, clientcas: pki.ca },
    }),
    refused: {
      weDial: { ours: /closed|ended|reset|certificate/i, go: /incompatible key usage/ },
      goDials: { ours: /Refused connection from .*incompatible key usage.*client auth/, go: CUT },
    },
  },
];

for (const { name, setUp, refused } of CASES) {
  const verb = refused === undefined ? "accepted" : "refused";
  meshTest(`our dialler, Go's listener, ${verb}: ${name}`, { kinds }, async (mesh) => {
    const pki = await TestPki.create(mesh);
    const { listener, dialler, server, client } = await setUp(pki);
    const port = freePort();
    const go = await mesh.node({
      kind: "go",
      id: "listener",
      actions: [
        goTls("tls-server", listener, server),
        { "tcp-listener": { bindaddr: "127.0.0.1", port, tls: "tls" } },
      ],
    });
    await using ours = new OwnTlsNode("dialler");
    ours.dial(port, ours.client(ourClient({ ...dialler, rootcas: pki.ca, ...client })));
    if (refused === undefined) {
      await Promise.all([ours.waitForRoute("listener"), go.waitForRoute("dialler")]);
      assert.equal((await ours.netceptor.ping("listener")).from, "listener");
    } else {
      await ours.waitForLog(refused.weDial.ours);
      if (refused.weDial.go !== undefined) await go.waitForLog(refused.weDial.go);
      await noLink(ours, go);
    }
  });

  meshTest(`our listener, Go's dialler, ${verb}: ${name}`, { kinds }, async (mesh) => {
    const pki = await TestPki.create(mesh);
    const { listener, dialler, server, client } = await setUp(pki);
    await using ours = new OwnTlsNode("listener");
    const port = ours.listen(ours.server(ourServer({ ...listener, ...server })));
    const go = await mesh.node({
      kind: "go",
      id: "dialler",
      actions: [
        goTls("tls-client", dialler, { rootcas: pki.ca, ...client }),
        { "tcp-peer": { address: `127.0.0.1:${port}`, tls: "tls" } },
      ],
    });
    if (refused === undefined) {
      await Promise.all([ours.waitForRoute("dialler"), go.waitForRoute("listener")]);
      assert.equal((await ours.netceptor.ping("dialler")).from, "dialler");
    } else {
      await ours.waitForLog(refused.goDials.ours);
      await go.waitForLog(refused.goDials.go);
      await noLink(ours, go);
    }
  });
}

/** Parameters as the configuration names them, as our profile takes them. */
function ourServer(parameters: Record<string, unknown>): Omit<TlsServerOptions, "name"> {
  return renamed(parameters) as unknown as TlsServerOptions;
}

function ourClient(parameters: Record<string, unknown>): Omit<TlsClientOptions, "name"> {
  return renamed(parameters) as unknown as TlsClientOptions;
}

const OUR_NAMES: Record<string, string> = {
  requireclientcert: "requireClientCert",
  clientcas: "clientCas",
  pinnedclientcert: "pinnedClientCert",
  rootcas: "rootCas",
  pinnedservercert: "pinnedServerCert",
  mintls13: "minTls13",
};

function renamed(parameters: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [OUR_NAMES[name] ?? name, value]),
  );
}

async function noLink(ours: OwnTlsNode, go: Awaited<ReturnType<Mesh["node"]>>): Promise<void> {
  assert.deepEqual(ours.netceptor.status().Connections, []);
  assert.deepEqual((await go.status()).Connections ?? [], []);
}

meshTest("plain TCP against TLS comes to nothing, and both say why", { kinds }, async (mesh) => {
  const pki = await TestPki.create(mesh);
  await using ours = new OwnTlsNode("ours");
  const port = ours.listen(ours.server(await pki.files("ours")));
  const go = await mesh.node({
    kind: "go",
    id: "go",
    actions: [{ "tcp-peer": { address: `127.0.0.1:${port}` } }],
  });
  await ours.waitForLog(/Refused connection from .*: .*does not speak TLS/);
  await noLink(ours, go);
});

meshTest("TLS against plain TCP comes to nothing, and both say why", { kinds }, async (mesh) => {
  const pki = await TestPki.create(mesh);
  const port = freePort();
  const go = await mesh.node({
    kind: "go",
    id: "go",
    actions: [{ "tcp-listener": { bindaddr: "127.0.0.1", port } }],
  });
  await using ours = new OwnTlsNode("ours");
  ours.dial(port, ours.client({ rootCas: pki.ca }));
  await ours.waitForLog(/Backend connection failed \(will retry\): .*TLS/);
  await noLink(ours, go);
});

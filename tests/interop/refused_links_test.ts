/**
 * Links that must not come up, between a Go daemon and ours, dialled from either side: what both
 * say about it, and that nothing is left behind.
 */
import { type Certificates, makeCertificates, signCertificate } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { meshTest } from "../support/mesh.ts";
import { folderOf, type NodeKind } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import { TempFolder } from "../support/temp_folder.ts";
import type { Action, TestNode } from "../support/test_node.ts";

type Parameters = Record<string, unknown>;

/** Certificates of two authorities with the same name, which only their keys tell apart. */
interface Authorities {
  ours: Certificates;
  foreign: Certificates;
}

interface LockCase {
  name: string;
  carrier?: "tcp" | "ws";
  /** `tls-server` of the listener, if it has one. */
  server?: (authorities: Authorities) => Parameters;
  /** `tls-client` of the dialler, if it has one. */
  client?: (authorities: Authorities) => Parameters;
  listener?: Parameters;
  dialler?: Parameters;
  /** What each kind of node says as the listener; undefined where it says nothing. */
  listenerSays: Record<"ours" | "go", string | undefined>;
  diallerSays: Record<"ours" | "go", string>;
}

const LONG_AGO = ["notbefore=2020-01-01T00:00:00Z", "notafter=2021-01-01T00:00:00Z"];
/**
 * A refused link may be up for a moment, until the other side is heard from; then it must be gone.
 */
const NO_LINK_MS = 3000;
const OTHER_PIN = "00".repeat(32);

const good = {
  server: ({ ours }: Authorities) => ({ cert: ours.cert("far"), key: ours.key("far") }),
  strictServer: ({ ours }: Authorities) => ({
    cert: ours.cert("far"),
    key: ours.key("far"),
    requireclientcert: true,
    clientcas: ours.ca,
  }),
  client: ({ ours }: Authorities) => ({
    cert: ours.cert("near"),
    key: ours.key("near"),
    rootcas: ours.ca,
  }),
};

// In what ours says, words in capitals stand for what varies, such as addresses.
const HANDSHAKE_FAILED =
  "WARNING Refused connection from DIALLER: TLS handshake with tcp DIALLER failed: ";
const UNKNOWN_AUTHORITY = "x509: certificate signed by unknown authority (possibly because of " +
  '"x509: the signature is not by the issuer\'s key" while trying to verify candidate authority ' +
  'certificate "CN=Receptor mesh CA")';
const FOREIGN = (subject: string) =>
  `${UNKNOWN_AUTHORITY}: "CN=${subject}" was issued by "CN=Receptor mesh CA", ` +
  'FOLDER/ca.crt has "CN=Receptor mesh CA"';
const EXPIRED = "x509: certificate has expired or is not yet valid: current time TIME is after " +
  "2021-01-01T00:00:00Z";
const WRONG_PIN = (subject: string) =>
  "presented certificate does not match any pinned fingerprint: " +
  `"CN=${subject}" has sha256 FINGERPRINT`;
const NO_TLS = "the peer does not speak TLS: first record does not look like a TLS handshake " +
  "(received corrupt message of type " +
  "InvalidContentType (SSL routines:ssl3_get_record:wrong version number))";
const BY_SERVER = "(server tcp LISTENER, tls-client client)";
const BY_CLIENT = "(client tcp DIALLER, tls-server server)";
const RETRY = "WARNING Backend connection failed (will retry): ";
const EXITED = "WARNING Backend connection exited (will retry)";

const CASES: readonly LockCase[] = [
  {
    name: "a server of another authority",
    server: ({ foreign }) => ({ cert: foreign.cert("far"), key: foreign.key("far") }),
    client: good.client,
    listenerSays: {
      ours: `${HANDSHAKE_FAILED}received fatal alert: BadCertificate`,
      go: undefined,
    },
    diallerSays: {
      ours: `${RETRY}${FOREIGN("far")} ${BY_SERVER}`,
      go: "tls: failed to verify certificate: x509: certificate signed by unknown authority",
    },
  },
  {
    name: "a client of another authority",
    server: good.strictServer,
    client: ({ ours, foreign }) => ({
      cert: foreign.cert("near"),
      key: foreign.key("near"),
      rootcas: ours.ca,
    }),
    listenerSays: {
      ours: `WARNING Refused connection from DIALLER: ${FOREIGN("near")} ${BY_CLIENT}`,
      go: "tls: failed to verify certificate: x509: certificate signed by unknown authority",
    },
    diallerSays: {
      ours: "ERROR Backend receiving error tls LISTENER: received fatal alert: UnknownCA",
      go: "Backend connection exited (will retry)",
    },
  },
  {
    name: "a server whose certificate expired",
    server: ({ ours }) => ({ cert: ours.cert("old-far"), key: ours.key("old-far") }),
    client: good.client,
    listenerSays: {
      ours: `${HANDSHAKE_FAILED}received fatal alert: BadCertificate`,
      go: undefined,
    },
    diallerSays: {
      ours: `${RETRY}${EXPIRED} ${BY_SERVER}`,
      go: "x509: certificate has expired or is not yet valid",
    },
  },
  {
    name: "a client whose certificate expired",
    server: good.strictServer,
    client: ({ ours }) => ({
      cert: ours.cert("old-near"),
      key: ours.key("old-near"),
      rootcas: ours.ca,
    }),
    listenerSays: {
      ours: `WARNING Refused connection from DIALLER: ${EXPIRED} ${BY_CLIENT}`,
      go: "x509: certificate has expired or is not yet valid",
    },
    diallerSays: {
      ours: "ERROR Backend receiving error tls LISTENER: received fatal alert: CertificateExpired",
      go: "Backend connection exited (will retry)",
    },
  },
  {
    name: "a client without a certificate",
    server: good.strictServer,
    client: ({ ours }) => ({ cert: "", key: "", rootcas: ours.ca }),
    listenerSays: {
      ours: `${HANDSHAKE_FAILED}peer sent no certificates`,
      go: "tls: client didn't provide a certificate",
    },
    diallerSays: {
      ours: "ERROR Backend receiving error tls LISTENER: received fatal alert: CertificateRequired",
      go: "remote error: tls: certificate required",
    },
  },
  {
    name: "a server with another certificate than the pinned one",
    server: good.server,
    client: (authorities) => ({ ...good.client(authorities), pinnedservercert: [OTHER_PIN] }),
    listenerSays: {
      ours: `${HANDSHAKE_FAILED}received fatal alert: BadCertificate`,
      go: undefined,
    },
    diallerSays: {
      ours: `${RETRY}${WRONG_PIN("far")} ${BY_SERVER}`,
      go: "RVF failed: presented certificate does not match any pinned fingerprint",
    },
  },
  {
    name: "a client with another certificate than the pinned one",
    server: (authorities) => ({
      ...good.strictServer(authorities),
      pinnedclientcert: [OTHER_PIN],
    }),
    client: good.client,
    listenerSays: {
      ours: `WARNING Refused connection from DIALLER: ${WRONG_PIN("near")} ${BY_CLIENT}`,
      go: "RVF failed: presented certificate does not match any pinned fingerprint",
    },
    diallerSays: {
      ours: "ERROR Backend receiving error tls LISTENER: received fatal alert: BadCertificate",
      go: "Backend connection exited (will retry)",
    },
  },
  {
    name: "a server of another name",
    server: ({ ours }) => ({ cert: ours.cert("elsewhere"), key: ours.key("elsewhere") }),
    client: good.client,
    listenerSays: {
      ours: `${HANDSHAKE_FAILED}received fatal alert: BadCertificate`,
      go: undefined,
    },
    diallerSays: {
      ours: `${RETRY}x509: certificate is valid for elsewhere.example, not ` +
        `127.0.0.1: its subject is "CN=elsewhere" ${BY_SERVER}`,
      go: "tls: failed to verify certificate: x509: ",
    },
  },
  {
    name: "plain against TLS",
    server: good.server,
    listenerSays: {
      ours: `${HANDSHAKE_FAILED}${NO_TLS}`,
      go: "tls: first record does not look like a TLS handshake",
    },
    diallerSays: { ours: EXITED, go: "Backend connection exited (will retry)" },
  },
  {
    name: "TLS against plain",
    client: good.client,
    listenerSays: {
      ours: "ERROR Backend receiving error tcp DIALLER ended NUMBER bytes into a message",
      go: undefined,
    },
    diallerSays: {
      ours: `${RETRY}TLS handshake with tcp LISTENER failed: ${NO_TLS}`,
      go: "tls: first record does not look like a TLS handshake",
    },
  },
  {
    name: "plain against TLS",
    carrier: "ws",
    server: good.server,
    listenerSays: {
      ours: `${HANDSHAKE_FAILED}${NO_TLS}`,
      go: "client sent an HTTP request to an HTTPS server",
    },
    diallerSays: {
      ours: `${RETRY}cannot connect to ws://LISTENER/: the server answered 400 Bad Request`,
      go: "malformed HTTP response",
    },
  },
  {
    name: "TLS against plain",
    carrier: "ws",
    client: good.client,
    listenerSays: {
      ours: "WARNING Refused connection from DIALLER: ANYTHING",
      go: undefined,
    },
    diallerSays: {
      ours: `${RETRY}TLS handshake with tcp LISTENER failed: ${NO_TLS}`,
      go: "tls: first record does not look like a TLS handshake",
    },
  },
  {
    name: "a client of another authority",
    carrier: "ws",
    server: good.strictServer,
    client: ({ ours, foreign }) => ({
      cert: foreign.cert("near"),
      key: foreign.key("near"),
      rootcas: ours.ca,
    }),
    listenerSays: {
      ours: `WARNING Refused connection from DIALLER: ${FOREIGN("near")} ${BY_CLIENT}`,
      go: "tls: failed to verify certificate: x509: certificate signed by unknown authority",
    },
    diallerSays: {
      ours: `${RETRY}cannot connect to wss://LISTENER/: received fatal alert: UnknownCA`,
      go: "Backend connection failed (will retry)",
    },
  },
  {
    name: "a client without a certificate",
    carrier: "ws",
    server: good.strictServer,
    client: ({ ours }) => ({ cert: "", key: "", rootcas: ours.ca }),
    listenerSays: {
      ours: `${HANDSHAKE_FAILED}peer sent no certificates`,
      go: "tls: client didn't provide a certificate",
    },
    diallerSays: {
      ours: `${RETRY}cannot connect to wss://LISTENER/: received fatal alert: CertificateRequired`,
      go: "remote error: tls: certificate required",
    },
  },
  {
    name: "a dialler that the listener does not allow",
    listener: { allowedpeers: ["somebody"] },
    listenerSays: {
      ours: "ERROR Backend error: far: rejected connection with node near because it is not in " +
        "the allowed peers list",
      go: "far: rejected connection with node near because it is not in the allowed peers list",
    },
    // The Go daemon closes before its rejection is out.
    diallerSays: { ours: EXITED, go: "remote node rejected the connection" },
  },
  {
    name: "a listener that the dialler does not allow",
    dialler: { allowedpeers: ["somebody"] },
    listenerSays: { ours: undefined, go: "remote node rejected the connection" },
    diallerSays: {
      ours: "ERROR Backend error: near: rejected connection with node far because it is not in " +
        "the allowed peers list",
      go: "near: rejected connection with node far because it is not in the allowed peers list",
    },
  },
  {
    name: "costs that differ",
    listener: { nodecost: { near: 3 } },
    // Whoever hears of the other's cost first refuses it.
    listenerSays: { ours: undefined, go: undefined },
    diallerSays: {
      ours: EXITED,
      go: "Backend connection exited (will retry)",
    },
  },
];

const DIRECTIONS: readonly { listener: "ours" | "go"; dialler: "ours" | "go"; name: string }[] = [
  { dialler: "go", listener: "ours", name: "Go dials ours" },
  { dialler: "ours", listener: "go", name: "ours dials Go" },
];

for (const lock of CASES) {
  const { carrier = "tcp" } = lock;
  for (const { listener, dialler, name } of DIRECTIONS) {
    const title = `${carrier.toUpperCase()} refuses ${lock.name}, ${name}`;
    meshTest(title, { kinds: ["go"] }, async (mesh) => {
      const port = freePort();
      const far = await mesh.node({
        kind: listener,
        id: "far",
        actions: [
          ...tlsAction("server", lock.server?.(authorities)),
          {
            [`${carrier}-listener`]: {
              bindaddr: "127.0.0.1",
              port,
              ...(lock.server && { tls: "server" }),
              ...lock.listener,
            },
          },
        ],
      });
      const scheme = lock.client ? "wss" : "ws";
      const address = `127.0.0.1:${port}`;
      const near = await mesh.node({
        kind: dialler,
        id: "near",
        actions: [
          ...tlsAction("client", lock.client?.(authorities)),
          {
            [`${carrier}-peer`]: {
              address: carrier === "ws" ? `${scheme}://${address}/` : address,
              ...(lock.client && { tls: "client" }),
              ...lock.dialler,
            },
          },
        ],
      });
      const expected = (kind: NodeKind, text = "") =>
        new RegExp(kind === "ours" && text !== "" ? exactly(text, address) : RegExp.escape(text));
      await Promise.all([
        near.waitForLog(expected(dialler, lock.diallerSays[dialler])),
        far.waitForLog(expected(listener, lock.listenerSays[listener])),
      ]);
      for (const node of [near, far]) await hasNoLink(node);
    });
  }
}

async function hasNoLink(node: TestNode): Promise<void> {
  await eventually(
    async () => {
      const { Connections, RoutingTable } = await node.status();
      return (Connections ?? []).length === 0 && Object.keys(RoutingTable ?? {}).length === 0;
    },
    { what: `the end of all links of ${node.id}`, timeoutMs: NO_LINK_MS },
  );
}

function tlsAction(side: "server" | "client", values: Parameters | undefined): Action[] {
  return values === undefined ? [] : [{ [`tls-${side}`]: { name: side, ...values } }];
}

/** For all tests of this file: nobody changes them. */
let authorities: Authorities;
let authoritiesFolder: TempFolder;

Deno.test.beforeAll(async () => {
  if (folderOf("RECEPTOR_PEERS") === undefined) return;
  authoritiesFolder = await TempFolder.create();
  const names = ["near", "far"];
  const ours = await makeCertificates(authoritiesFolder.join("ours"), names);
  const foreign = await makeCertificates(authoritiesFolder.join("foreign"), names);
  authorities = { ours, foreign };
  for (const nodeId of names) {
    await signCertificate("ours", ours, { name: `old-${nodeId}`, nodeId, extra: LONG_AGO });
  }
  const hosts = ["elsewhere.example"];
  await signCertificate("ours", ours, { name: "elsewhere", nodeId: "far", hosts });
});

Deno.test.afterAll(async () => {
  await authoritiesFolder?.[Symbol.asyncDispose]();
});

/** Matches a line of our log: a text in which some words stand for what varies. */
function exactly(text: string, listener: string): RegExp {
  const [level = "", ...message] = text.split(" ");
  const pattern = `^${level} \\S+ \\S+ ${RegExp.escape(message.join(" "))}(?: \\{.*\\})?$`
    .replaceAll("DIALLER", "127\\.0\\.0\\.1:\\d+")
    .replaceAll("LISTENER", RegExp.escape(listener))
    .replaceAll("FOLDER", RegExp.escape(authoritiesFolder.join("ours")))
    .replaceAll("TIME", "[0-9-]+T[0-9:]+Z")
    .replaceAll("FINGERPRINT", "(?:[0-9A-F]{2}:){31}[0-9A-F]{2}")
    .replaceAll("ANYTHING", ".*")
    .replaceAll("NUMBER", "\\d+");
  return new RegExp(pattern, "m");
}

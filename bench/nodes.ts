/** Daemons to measure: one, two with a TCP link on loopback, or a chain of them. */
import {
  type Certificates,
  certificatesIn,
  makeAuthority,
  signCertificate,
} from "../tests/support/certificates.ts";
import { folderOf } from "../tests/support/peers.ts";
import { freePort } from "../tests/support/ports.ts";
import { TempFolder } from "../tests/support/temp_folder.ts";
import { type Action, TestNode, type TestNodeOptions } from "../tests/support/test_node.ts";
import type { Kind } from "./row.ts";

/** As AWX configures it. At this level `TestNode` also waits until a node knows its work types. */
const LOG_LEVEL = "info";
/** The near node's profile for streams to the far one. */
export const TLS_CLIENT = "tlsclient";
const TLS_SERVER = "tls_server";

/** Nodes in a line, of which jobs go from `near` to `far`. */
export interface Chain extends AsyncDisposable {
  readonly near: TestNode;
  /** From `near` on, when there are more than two nodes. */
  readonly relays: readonly TestNode[];
  readonly far: TestNode;
}

export interface ChainOptions {
  /** Further actions of the near node. */
  readonly atNear?: readonly Action[];
  /** Further actions of the far node, such as work types. */
  readonly atFar?: readonly Action[];
  /** Links from `near` to `far`; 1 by default. */
  readonly hops?: number;
  /**
   * Links and streams as in AWX: both sides with certificates (RSA 2048), the far control service
   * with a tls-server that requires one.
   */
  readonly tls?: boolean;
  /** The far node dials, so it is back at once after a restart. */
  readonly farDials?: boolean;
}

/** One node, "solo", without links. */
export function startNode(
  kind: Kind,
  actions: readonly Action[],
  logLevel: TestNodeOptions["logLevel"] = LOG_LEVEL,
): Promise<TestNode> {
  return TestNode.start({ kind, id: "solo", actions, logLevel });
}

/** Resolves when both ends of the chain have a route to the other. */
export async function startChain(kind: Kind, options: ChainOptions = {}): Promise<Chain> {
  const { atNear = [], atFar = [], hops = 1, tls = false, farDials = false } = options;
  await using stack = new AsyncDisposableStack();
  const ids = Array.from({ length: hops + 1 }, (_, i) => nameOf(i, hops));
  const folder = tls ? stack.use(await TempFolder.create()) : undefined;
  const certificates = folder && await rsaCertificates(folder.path, ids);

  const ports = Array.from({ length: hops }, freePort);
  const listen = (link: number): Action => ({
    "tcp-listener": {
      bindaddr: "127.0.0.1",
      port: ports[link],
      ...(tls ? { tls: TLS_SERVER } : {}),
    },
  });
  const dial = (link: number): Action => ({
    "tcp-peer": { address: `127.0.0.1:${ports[link]}`, ...(tls ? { tls: TLS_CLIENT } : {}) },
  });
  const [towardsNear, towardsFar] = farDials ? [dial, listen] : [listen, dial];

  const nodes: TestNode[] = [];
  const order = farDials ? [...ids.keys()] : [...ids.keys()].reverse();
  for (const index of order) {
    const actions = [
      ...(certificates ? tlsProfiles(certificates, ids[index]!) : []),
      ...(index > 0 ? [towardsNear(index - 1)] : []),
      ...(index < hops ? [towardsFar(index)] : []),
      ...(index === 0 ? atNear : []),
      ...(index === hops ? atFar : []),
    ];
    const control = tls && index === hops ? { tls: TLS_SERVER } : {};
    nodes[index] = stack.use(
      await TestNode.start({ kind, id: ids[index]!, actions, control, logLevel: LOG_LEVEL }),
    );
  }
  const [near, far] = [nodes[0]!, nodes[hops]!];
  await Promise.all([near.waitForRoute(far.id), far.waitForRoute(near.id)]);
  const owned = stack.move();
  const relays = nodes.slice(1, -1);
  return { near, relays, far, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function nameOf(index: number, hops: number): string {
  if (index === 0) return "near";
  return index === hops ? "far" : `relay${index}`;
}

/** RSA with 2048 bits, as AWX has them; by the Go daemon, if it is there. */
async function rsaCertificates(folder: string, ids: readonly string[]): Promise<Certificates> {
  const maker = folderOf("RECEPTOR_PEERS") === undefined ? "ours" : "go";
  const certificates = certificatesIn(folder);
  await makeAuthority(maker, certificates);
  for (const name of ids) await signCertificate(maker, certificates, { name });
  return certificates;
}

function tlsProfiles(certificates: Certificates, id: string): Action[] {
  const own = { cert: certificates.cert(id), key: certificates.key(id), mintls13: false };
  return [
    {
      "tls-server": {
        ...own,
        name: TLS_SERVER,
        clientcas: certificates.ca,
        requireclientcert: true,
      },
    },
    { "tls-client": { ...own, name: TLS_CLIENT, rootcas: certificates.ca } },
  ];
}

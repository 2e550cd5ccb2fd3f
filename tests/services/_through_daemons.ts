/** Random bytes through the stream services of two real daemons, both ways at once. */
import assert from "node:assert/strict";
import { type ByteConn, closeQuietly, writeAll } from "../../lib/base/byte_conn.ts";
import { type Certificates, makeCertificates } from "../support/certificates.ts";
import { within } from "../support/eventually.ts";
import type { Mesh } from "../support/mesh.ts";
import type { NodeKind } from "../support/peers.ts";
import { randomBytes, sha256 } from "../support/payload.ts";
import { freePort } from "../support/ports.ts";
import type { TempFolder } from "../support/temp_folder.ts";
import type { Action } from "../support/test_node.ts";

export const CARRIERS = [
  "TCP",
  "TCP with TLS everywhere",
  "Unix sockets",
  "Unix sockets with TLS in between",
] as const;
export type Carrier = (typeof CARRIERS)[number];

export interface Through {
  /** The node where connections come in, and the one from which they go on. */
  readonly near: NodeKind;
  readonly far: NodeKind;
  readonly carrier: Carrier;
  /** What goes each way. */
  readonly bytes: number;
}

/** Actions of both nodes, and how a test reaches the two ends. */
interface Setup {
  readonly near: readonly Action[];
  readonly far: readonly Action[];
  readonly listen: () => { accept(): Promise<ByteConn>; close(): void };
  readonly dial: () => Promise<ByteConn>;
}

const REMOTE = { remotenode: "n2", remoteservice: "svc" };
const PATIENCE_MS = 300_000;

function overTcp(): Setup {
  const [port, behind] = [freePort(), freePort()];
  return {
    near: [{ "tcp-server": { port, ...REMOTE } }],
    far: [{ "tcp-client": { service: "svc", address: `127.0.0.1:${behind}` } }],
    listen: () => Deno.listen({ hostname: "127.0.0.1", port: behind }),
    dial: () => Deno.connect({ hostname: "127.0.0.1", port }),
  };
}

async function overTls(folder: TempFolder): Promise<Setup> {
  const files = await makeCertificates(folder.path, ["n1", "n2", "test"]);
  const pem = (path: string) => Deno.readTextFileSync(path);
  const identity = { cert: pem(files.cert("test")), key: pem(files.key("test")) };
  const [port, behind] = [freePort(), freePort()];
  const tls = { tlsserver: "server", tlsclient: "client" };
  return {
    near: [...profiles(files, "n1"), { "tcp-server": { port, ...REMOTE, ...tls } }],
    far: [
      ...profiles(files, "n2"),
      { "tcp-client": { service: "svc", address: `127.0.0.1:${behind}`, ...tls } },
    ],
    listen: () => Deno.listenTls({ hostname: "127.0.0.1", port: behind, ...identity }),
    dial: () =>
      Deno.connectTls({ hostname: "localhost", port, caCerts: [pem(files.ca)], ...identity }),
  };
}

function profiles({ ca, cert, key }: Certificates, id: string): Action[] {
  const identity = { cert: cert(id), key: key(id) };
  return [
    { "tls-server": { name: "server", ...identity, clientcas: ca } },
    { "tls-client": { name: "client", ...identity, rootcas: ca } },
  ];
}

async function overUnix(folder: TempFolder, tls: boolean): Promise<Setup> {
  const [here, there] = [folder.join("here"), folder.join("there")];
  const files = tls ? await makeCertificates(folder.path, ["n1", "n2"]) : undefined;
  const secured = (id: string, name: string) => ({
    profiles: files === undefined ? [] : profiles(files, id),
    parameters: tls ? { tls: name } : {},
  });
  const [near, far] = [secured("n1", "client"), secured("n2", "server")];
  const entrance = { filename: here, permissions: "0660", ...REMOTE, ...near.parameters };
  const exit = { service: "svc", filename: there, ...far.parameters };
  return {
    near: [...near.profiles, { "unix-socket-server": entrance }],
    far: [...far.profiles, { "unix-socket-client": exit }],
    listen: () => Deno.listen({ transport: "unix", path: there }),
    dial: () => {
      assert.equal(Deno.lstatSync(here).mode! & 0o777, 0o660);
      return Deno.connect({ transport: "unix", path: here });
    },
  };
}

/** Starts both nodes and sends the bytes; throws if any are lost or changed. */
export async function carryBytes(mesh: Mesh, through: Through): Promise<void> {
  const folder = await mesh.folder();
  const setup = await setUp(through.carrier, folder);
  await mesh.line([through.near, through.far], (id) => ({
    actions: id === "n1" ? setup.near : setup.far,
  }));
  const listener = setup.listen();
  try {
    await within(PATIENCE_MS, "the bytes", exchange(setup, listener, through.bytes));
  } finally {
    listener.close();
  }
}

async function setUp(carrier: Carrier, folder: TempFolder): Promise<Setup> {
  switch (carrier) {
    case "TCP":
      return overTcp();
    case "TCP with TLS everywhere":
      return await overTls(folder);
    case "Unix sockets":
      return await overUnix(folder, false);
    case "Unix sockets with TLS in between":
      return await overUnix(folder, true);
  }
}

async function exchange(
  { dial }: Setup,
  listener: ReturnType<Setup["listen"]>,
  bytes: number,
): Promise<void> {
  const [client, server] = await Promise.all([dial(), listener.accept()]);
  try {
    const [up, down] = [randomBytes(bytes), randomBytes(bytes)];
    const [gotDown, gotUp] = await Promise.all([
      readExactly(client, bytes),
      readExactly(server, bytes),
      writeAll(client, up),
      writeAll(server, down),
    ]);
    assert.equal(sha256(gotUp), sha256(up));
    assert.equal(sha256(gotDown), sha256(down));
    // The Go daemon passes on the end of one direction as the end of both.
    await client.closeWrite();
    assert.equal(await server.read(new Uint8Array(1)), null);
  } finally {
    closeQuietly(client);
    closeQuietly(server);
  }
}

async function readExactly(conn: ByteConn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await conn.read(bytes.subarray(at));
    if (count === null) throw new Error(`the stream ended after ${at} of ${length} bytes`);
    at += count;
  }
  return bytes;
}

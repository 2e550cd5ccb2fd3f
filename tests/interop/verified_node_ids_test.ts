/** Links with `verifynodeid`: a neighbour must be who its certificate says it is. */
import assert from "node:assert/strict";
import { type Certificates, makeCertificates } from "../support/certificates.ts";
import { eventually } from "../support/eventually.ts";
import { meshTest } from "../support/mesh.ts";
import type { NodeKind } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import type { Action } from "../support/test_node.ts";

const IDS = ["foo", "bar", "evil"];

function server({ ca, cert, key }: Certificates, id: string): Action {
  return {
    "tls-server": {
      name: "server",
      cert: cert(id),
      key: key(id),
      clientcas: ca,
      requireclientcert: true,
      skipreceptornamescheck: true,
    },
  };
}

function client({ ca, cert, key }: Certificates, id: string): Action {
  return {
    "tls-client": {
      name: "client",
      cert: cert(id),
      key: key(id),
      rootcas: ca,
      skipreceptornamescheck: true,
    },
  };
}

for (const carrier of ["tcp", "ws"] as const) {
  const addressOf = (port: number) =>
    carrier === "tcp" ? `localhost:${port}` : `wss://localhost:${port}/`;
  for (const kind of ["ours", "go"] as NodeKind[]) {
    const who = kind === "ours" ? "one of ours" : "a Go node";

    meshTest(
      `a ${carrier}-listener takes ${who} under the name in its certificate only`,
      { kinds: [kind] },
      async (mesh) => {
        const certificates = await makeCertificates((await mesh.folder()).path, IDS);
        const port = freePort();
        const foo = await mesh.node({
          kind: "ours",
          id: "foo",
          actions: [
            server(certificates, "foo"),
            {
              [`${carrier}-listener`]: {
                bindaddr: "127.0.0.1",
                port,
                tls: "server",
                allowedpeers: ["bar"],
                verifynodeid: true,
              },
            },
          ],
        });
        const dials = { [`${carrier}-peer`]: { address: addressOf(port), tls: "client" } };
        const evil = await mesh.node({
          kind,
          id: "bar",
          actions: [client(certificates, "evil"), dials],
        });
        await eventually(() =>
          foo.log.includes(
            "rejected connection with node bar because its certificate names evil (verifynodeid)",
          ), { what: "the refusal" });
        await evil.stop();
        assert.deepEqual((await foo.status()).Connections ?? [], []);
        const bar = await mesh.node({
          kind,
          id: "bar",
          actions: [client(certificates, "bar"), dials],
        });
        await bar.waitForRoute("foo");
        assert.equal((await foo.json("ping bar")).Success, true);
      },
    );

    meshTest(
      `a ${carrier}-peer takes ${who} under the name in its certificate only`,
      { kinds: [kind] },
      async (mesh) => {
        const certificates = await makeCertificates((await mesh.folder()).path, IDS);
        const ports = [freePort(), freePort()];
        const listens = (id: string, port: number): Action[] => [
          server(certificates, id),
          { [`${carrier}-listener`]: { bindaddr: "127.0.0.1", port, tls: "server" } },
        ];
        await mesh.node({ kind, id: "bar", actions: listens("evil", ports[0]!) });
        await mesh.node({ kind, id: "evil", actions: listens("evil", ports[1]!) });
        const foo = await mesh.node({
          kind: "ours",
          id: "foo",
          actions: [
            client(certificates, "foo"),
            ...ports.map((port) => ({
              [`${carrier}-peer`]: { address: addressOf(port), tls: "client", verifynodeid: true },
            })),
          ],
        });
        await foo.waitForRoute("evil");
        await eventually(() =>
          foo.log.includes(
            "rejected connection with node bar because its certificate names evil (verifynodeid)",
          ), { what: "the refusal" });
        const connections = (await foo.status()).Connections ?? [];
        assert.deepEqual(connections.map(({ NodeID }) => NodeID), ["evil"]);
      },
    );
  }
}

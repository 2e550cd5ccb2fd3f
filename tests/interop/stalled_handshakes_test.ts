/** Clients that connect and then say nothing are cut off, and keep nobody else out. */
import assert from "node:assert/strict";
import { Budget } from "../support/budget.ts";
import { makeCertificates } from "../support/certificates.ts";
import { within } from "../support/eventually.ts";
import { meshTest } from "../support/mesh.ts";
import { freePort } from "../support/ports.ts";

const STALLED = 1000;
/** A handshake may take 15 s; the rest is for a busy machine. */
const CUT_WITHIN_MS = 60_000;

meshTest(
  "1,000 stalled handshakes keep no Go daemon out, and are cut (TLS and WebSocket)",
  { kinds: ["go"] },
  async (mesh) => {
    const tls = await makeCertificates((await mesh.folder()).path, ["far"]);
    const [tlsPort, wsPort] = [freePort(), freePort()];
    const budget = await Budget.start(mesh, {
      id: "far",
      actions: [
        { "tls-server": { name: "server", cert: tls.cert("far"), key: tls.key("far") } },
        { "tcp-listener": { bindaddr: "127.0.0.1", port: tlsPort, tls: "server" } },
        { "ws-listener": { bindaddr: "127.0.0.1", port: wsPort } },
      ],
    });
    const far = budget.node;
    await using stalled = new AsyncDisposableStack();
    const stall = async (port: number) => {
      const conn = await Deno.connect({ hostname: "127.0.0.1", port });
      stalled.defer(() => {
        try {
          conn.close();
        } catch {
          // Closed already.
        }
      });
      // The beginning of something, as a slow or hostile peer may send.
      await conn.write(port === wsPort ? new TextEncoder().encode("GET / HT") : Uint8Array.of(22));
      return conn;
    };
    const conns = await Promise.all(
      [tlsPort, wsPort].flatMap((port) => Array.from({ length: STALLED }, () => stall(port))),
    );

    const client = { name: "client", rootcas: tls.ca, cert: "", key: "" };
    await Promise.all([
      mesh.node({
        kind: "go",
        id: "overtls",
        actions: [
          { "tls-client": client },
          { "tcp-peer": { address: `127.0.0.1:${tlsPort}`, tls: "client" } },
        ],
      }),
      mesh.node({
        kind: "go",
        id: "overws",
        actions: [{ "ws-peer": { address: `ws://127.0.0.1:${wsPort}/` } }],
      }),
    ]);
    await far.waitForRoute("overtls", "overws");
    // The good ones got in while the others were still held.
    assert.doesNotMatch(far.log, /the handshake took longer/);

    const cut = conns.map((conn) => conn.read(new Uint8Array(1)).catch(() => null));
    const ends = await within(CUT_WITHIN_MS, "the end of stalled handshakes", Promise.all(cut));
    assert.ok(ends.every((count) => count === null));
    await far.waitForLog(
      /^WARNING \S+ \S+ Refused connection from 127\.0\.0\.1:\d+: the handshake took longer than 15 s/m,
    );
    budget.assertKept(250);
    const { Connections } = await far.status();
    assert.deepEqual(Connections?.map(({ NodeID }) => NodeID).sort(), ["overtls", "overws"]);
  },
);

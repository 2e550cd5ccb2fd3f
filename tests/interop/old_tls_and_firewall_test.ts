/** What a node does not let through: old TLS, blocked services, dead links; with Go daemons. */
import assert from "node:assert/strict";
import { makeCertificates } from "../support/certificates.ts";
import { meshTest } from "../support/mesh.ts";
import type { NodeKind } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";

const openssl = await new Deno.Command("openssl", { args: ["version"], stdout: "null" })
  .output().then(({ success }) => success, () => false);

/** Which version `openssl` agrees on with a listener if it may offer at most TLS 1.2. */
async function agreedVersion(port: number): Promise<string | undefined> {
  const { stdout, stderr } = await new Deno.Command("openssl", {
    args: ["s_client", "-connect", `127.0.0.1:${port}`, "-tls1_2"],
    stdin: "null",
  }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return /^New, (TLSv1\.\d), Cipher is (?!\(NONE\))/m.exec(said)?.[1];
}

if (!openssl) {
  Deno.test.ignore("TLS 1.2 is refused unless mintls13 is false (skipped: no openssl)", () => {});
} else {
  meshTest("TLS 1.2 is refused unless mintls13 is false", { kinds: ["go"] }, async (mesh) => {
    const tls = await makeCertificates((await mesh.folder()).path, ["far"]);
    const server = { cert: tls.cert("far"), key: tls.key("far") };
    for (const kind of ["ours", "go"] as const) {
      const [strict, lenient] = [freePort(), freePort()];
      const far = await mesh.node({
        kind,
        id: "far",
        actions: [
          { "tls-server": { name: "strict", ...server } },
          { "tls-server": { name: "lenient", ...server, mintls13: false } },
          { "tcp-listener": { bindaddr: "127.0.0.1", port: strict, tls: "strict" } },
          { "tcp-listener": { bindaddr: "127.0.0.1", port: lenient, tls: "lenient" } },
        ],
      });
      assert.equal(await agreedVersion(strict), undefined, kind);
      await far.waitForLog(
        kind === "ours"
          ? /^WARNING \S+ \S+ Refused connection from 127\.0\.0\.1:\d+: TLS handshake with tcp 127\.0\.0\.1:\d+ failed: no TLS version that both sides allow, see mintls13 \(/m
          : /tls: client offered only unsupported versions/,
      );
      assert.equal(await agreedVersion(lenient), "TLSv1.2", kind);
    }
  });
}

for (const [middle, end] of [["ours", "go"], ["go", "ours"]] as const) {
  const name = middle === "ours" ? "ours between Go daemons" : "Go between ours";
  meshTest(
    `firewall rules hold for what passes through, ${name}`,
    { kinds: ["go"] },
    async (mesh) => {
      const kinds: NodeKind[] = [end, middle, end];
      const firewallrules = [
        { action: "accept", fromnode: "n3", tonode: "n1" },
        { action: "reject", fromnode: "/n[13]/", tonode: "n3", toservice: "control" },
      ];
      const { nodes } = await mesh.line(kinds, (id) => ({
        ...(id === "n2" ? { node: { firewallrules } } : {}),
        actions: [{ "work-command": { worktype: "cat", command: "cat" } }],
      }));
      const [first, between, last] = nodes;
      await using refused = await first!.session();
      await refused.send("connect n3 control");
      // The Go daemon also hears of it, but keeps trying until its handshake times out.
      if (end === "go") await first!.waitForLog(/blocked by firewall/);
      else assert.equal(await refused.readLine(), "ERROR: blocked by firewall");
      // Other services and directions are open, and so is the node itself.
      assert.equal((await first!.json("ping n3")).Success, true);
      for (const [from, to] of [[last!, "n1"], [between!, "n3"], [first!, "n2"]] as const) {
        await using session = await from.session();
        assert.equal(await session.command(`connect ${to} control`), "Connecting");
        assert.equal(await session.readLine(), `Receptor Control, node ${to}`);
      }
      assert.deepEqual(await last!.unitFolders(), []);
    },
  );
}

meshTest(
  "a link that has gone silent is given up by both, after the longer time where one is set",
  { kinds: ["go"] },
  async (mesh) => {
    const patient = { node: { maxidleconnectiontimeout: "10m" } };
    const { nodes: [near, far], links: [link] } = await mesh.line(["ours", "go"]);
    const other = await mesh.line(["ours", "go"], () => patient);
    link!.stall();
    other.links[0]!.stall();
    await Promise.all([
      near!.waitForLog(/^WARNING \S+ \S+ Timing out connection n2, idle for the past 21s/m, 60_000),
      far!.waitForLog(/Timing out connection n1, idle for the past/, 60_000),
    ]);
    await Promise.all([near!.waitForNoRoute("n2"), far!.waitForNoRoute("n1")]);
    for (const [index, node] of other.nodes.entries()) {
      assert.doesNotMatch(node.log, /Timing out/);
      assert.equal((await node.status()).Connections?.length, 1, `node ${index}`);
    }
  },
);

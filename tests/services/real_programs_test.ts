/** Programs as people use them, through the services of two real daemons. */
import assert from "node:assert/strict";
import { eventually } from "../support/eventually.ts";
import { programPath } from "../support/find_program.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import { randomBytes, sha256 } from "../support/payload.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/program.ts";
import type { Action } from "../support/test_node.ts";
import { pgbench, POSTGRES_PROGRAMS, psql, startPostgres } from "./_postgres.ts";
import { run, runText } from "./_run.ts";
import { SSH_PROGRAMS, startSshServer } from "./_ssh.ts";

const kinds = ["ours"] as const;
const REMOTE = { remotenode: "n2", remoteservice: "svc" };
const HOST = "127.0.0.1";

async function twoNodes(mesh: Mesh, near: Action, far: Action): Promise<void> {
  await mesh.line(["ours", "ours"], (id) => ({
    actions: [id === "n1" ? near : far],
    logLevel: "info",
  }));
}

async function tcpThrough(mesh: Mesh, behind: number): Promise<number> {
  const port = freePort();
  await twoNodes(mesh, { "tcp-server": { port, bindaddr: HOST, ...REMOTE } }, {
    "tcp-client": { service: "svc", address: `${HOST}:${behind}` },
  });
  return port;
}

meshTest(
  "PostgreSQL: psql and pgbench through the mesh",
  { kinds, programs: POSTGRES_PROGRAMS },
  async (mesh) => {
    await using server = await startPostgres();
    const port = await tcpThrough(mesh, server.port);

    const rows = 50_000;
    const query = `select n, md5(n::text) from generate_series(1, ${rows}) as n`;
    const [direct, through] = await Promise.all(
      [server.port, port].map((port) => runText([...psql(port), "-c", query])),
    );
    assert.equal(direct!.trimEnd().split("\n").length, rows);
    assert.ok(through === direct, "the rows differ");

    await run([...pgbench(port), "-i", "-s", "1", "-q"]);
    const [clients, transactions] = [8, 20];
    // Without a vacuum, which would empty the history.
    const load = ["-n", "-c", String(clients), "-j", "2", "-t", String(transactions)];
    // With a new connection for each transaction, too.
    for (const more of [[], ["-C"]]) {
      const said = await runText([...pgbench(port), ...load, ...more]);
      const all = clients * transactions;
      assert.match(said, new RegExp(`actually processed: ${all}/${all}`));
      assert.match(said, /number of failed transactions: 0 /);
    }
    const history = await runText([...psql(port), "-c", "select count(*) from pgbench_history"]);
    assert.equal(history.trim(), String(2 * clients * transactions));
  },
);

meshTest(
  "HTTP: 200 parallel connections of wrk are kept alive through the mesh",
  { kinds, programs: ["wrk"] },
  async (mesh) => {
    const body = "x".repeat(10_000);
    /** By the path that was asked for, the ports of those who asked. */
    const clients = new Map<string, Set<number>>();
    await using server = Deno.serve(
      { hostname: HOST, port: 0, onListen() {} },
      ({ url }, info) => {
        const { pathname } = new URL(url);
        clients.set(pathname, (clients.get(pathname) ?? new Set()).add(info.remoteAddr.port));
        return new Response(body);
      },
    );
    const port = await tcpThrough(mesh, server.addr.port);
    const connections = 200;
    let [path, said] = ["", ""];
    // On a busy machine it takes longer until each connection has had its turn.
    for (const seconds of [3, 15, 60]) {
      path = `/${seconds}`;
      said = await runText([
        programPath("wrk"),
        ...["-t", "2", "-c", String(connections), "-d", `${seconds}s`, "--timeout", "60s"],
        `http://${HOST}:${port}${path}`,
      ]);
      assert.doesNotMatch(said, /Socket errors|Non-2xx/, said);
      if (Number(/(\d+) requests in/.exec(said)?.[1]) >= connections) break;
    }
    assert.ok(Number(/(\d+) requests in/.exec(said)?.[1]) >= connections, said);
    // None of them was opened again.
    assert.equal(clients.get(path)?.size, connections);
  },
);

meshTest(
  "DNS: dig asks dnsmasq through the mesh",
  { kinds, programs: ["dnsmasq", "dig"] },
  async (mesh) => {
    const behind = freePort();
    const records = Array.from({ length: 20 }, (_, index) => `host${index}.mesh.test`);
    const long = "t".repeat(250);
    await using server = Program.start([
      ...[programPath("dnsmasq"), "--keep-in-foreground", "--log-facility=-"],
      ...["--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--pid-file", "--user="],
      ...[`--port=${behind}`, `--listen-address=${HOST}`, "--bind-interfaces"],
      ...records.map((name, index) => `--address=/${name}/192.0.2.${index + 1}`),
      `--txt-record=long.mesh.test,${[long, long, long, long].join(",")}`,
    ]);
    await server.waitForOutput(/started/);
    const port = freePort();
    await twoNodes(mesh, { "udp-server": { port, bindaddr: HOST, ...REMOTE } }, {
      "udp-client": { service: "svc", address: `${HOST}:${behind}` },
    });
    const dig = (...query: string[]) =>
      runText([
        ...[programPath("dig"), `@${HOST}`, "-p", String(port)],
        ...["+short", "+notcp", "+ignore", "+bufsize=4096", "+tries=10", "+timeout=5", ...query],
      ]);
    // The first one may be lost, while the node behind opens its socket.
    const answers = await Promise.all(records.map((name) => dig(name, "A")));
    assert.deepEqual(
      answers.map((text) => text.trim()),
      records.map((_name, index) => `192.0.2.${index + 1}`),
    );
    assert.equal((await dig("long.mesh.test", "TXT")).replaceAll(/[" \n]/g, ""), long.repeat(4));
  },
);

meshTest(
  "SSH: commands and their bytes, by ProxyCommand and Unix sockets",
  { kinds, programs: SSH_PROGRAMS },
  async (mesh) => {
    const folder = await mesh.folder();
    const [here, there] = [folder.join("here"), folder.join("there")];
    await using server = await startSshServer(there, folder);
    await twoNodes(mesh, { "unix-socket-server": { filename: here, ...REMOTE } }, {
      "unix-socket-client": { service: "svc", filename: there },
    });
    const ssh = server.client(here);
    assert.equal(await runText([...ssh, "id -u"]), await runText([programPath("id"), "-u"]));
    const bytes = randomBytes(5_000_000);
    const back = await run([...ssh, "cat"], { stdin: bytes });
    assert.equal(sha256(back), sha256(bytes));
    // The exit status arrives, too.
    await assert.rejects(run([...ssh, "exit 7"]), /failed/);
    const several = await Promise.all(
      Array.from({ length: 5 }, (_, index) => runText([...ssh, `echo ${index}`])),
    );
    assert.deepEqual(several, [0, 1, 2, 3, 4].map((index) => `${index}\n`));
    // Each connection had a server of its own, and none is left.
    await eventually(() => server.connections === 0, { what: "the end of all servers" });
  },
);

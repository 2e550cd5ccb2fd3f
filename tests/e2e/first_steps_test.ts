/**
 * What a new user encounters: a node with two flags, a client with none, mistakes and their
 * messages.
 */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { actionTable } from "../../lib/config/action_table.ts";
import { VERSION } from "../../lib/daemon/version.ts";
import { ControlRefusal, ControlSession } from "../support/control_session.ts";
import { meshTest } from "../support/mesh.ts";
import { daemonCommand } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import { Program, testEnvironment } from "../support/program.ts";
import { receptorctl } from "../support/receptorctl.ts";
import { TempFolder } from "../support/temp_folder.ts";

const TMP_SOCKET = `/tmp/receptor-${Deno.uid()}/receptor.sock`;
const READY = /Initialization complete/;
/** A unique name, since all nodes on the machine share the default data folder. */
const NODE_ID = `first${crypto.randomUUID().slice(0, 8)}`;

Deno.test.afterAll(async () => {
  await Deno.remove(`/tmp/receptor/${NODE_ID}`, { recursive: true }).catch(() => {});
});

function receptor(args: readonly string[], env: Record<string, string> = {}): Program {
  return Program.start([...daemonCommand("ours"), ...args], { env });
}

/** Runs to the end, for commands that are refused or only print. */
async function receptorOnce(args: readonly string[], env: Record<string, string> = {}) {
  const [file, ...first] = daemonCommand("ours");
  const { code, stdout, stderr } = await new Deno.Command(file!, {
    args: [...first, ...args],
    clearEnv: true,
    env: testEnvironment(env),
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

async function pingWithoutFlags(id: string, env: Record<string, string>): Promise<void> {
  const ping = await receptorctl(["ping", id, "--count", "1"], { env });
  assert.deepEqual([ping.code, ping.stderr], [0, ""]);
  assert.match(ping.stdout, new RegExp(`^Reply from ${id} in `));
}

for (const variable of ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"]) {
  Deno.test(`two flags start a node, and receptorctl finds it by ${variable}`, async () => {
    await using folder = await TempFolder.create();
    const env = { [variable]: folder.path };
    await using node = receptor(["--node", `id=${NODE_ID}`, "--local-only"], env);
    await node.waitForOutput(READY);
    const { mode } = await Deno.lstat(folder.join("receptor.sock"));
    assert.equal(mode! & 0o777, 0o600);
    await pingWithoutFlags(NODE_ID, env);
    await node.stop();
    assert.equal((await node.exited).code, 0);
    assert.equal(exists(folder.join("receptor.sock")), false, "the socket goes with its node");
  });
}

const tmpIsTaken = exists(TMP_SOCKET);
Deno.test({
  name: `two flags start a node, and receptorctl finds it in /tmp${
    tmpIsTaken ? ` (skipped: ${TMP_SOCKET} is there already)` : ""
  }`,
  ignore: tmpIsTaken,
  async fn() {
    await using node = receptor(["--node", `id=${NODE_ID}`, "--local-only"]);
    await node.waitForOutput(READY);
    const { mode } = await Deno.lstat(dirname(TMP_SOCKET));
    assert.equal(mode! & 0o777, 0o700);
    await pingWithoutFlags(NODE_ID, {});
    // A stale path in the environment must not hide the node.
    await using folder = await TempFolder.create();
    await pingWithoutFlags(NODE_ID, { XDG_RUNTIME_DIR: folder.path });
    await node.stop();
    assert.equal(exists(TMP_SOCKET), false);
  },
});

Deno.test("a second node says that the default socket is taken, and runs on", async () => {
  await using folder = await TempFolder.create();
  const env = { XDG_RUNTIME_DIR: folder.path };
  const args = (id: string) => ["--node", `id=${id}`, `datadir=${folder.path}`, "--local-only"];
  await using first = receptor(args("first"), env);
  await first.waitForOutput(READY);
  await using second = receptor(args("second"), env);
  await second.waitForOutput(/^WARNING .*No default control socket: .*--control-service/m);
  await second.waitForOutput(READY);
  await pingWithoutFlags("first", env);
  assert.ok(second.running);
  // A node that was killed leaves its socket: the next one takes it over.
  await first.kill();
  assert.ok(exists(folder.join("receptor.sock")));
  await using third = receptor(args("third"), env);
  await third.waitForOutput(READY);
  await pingWithoutFlags("third", env);
});

meshTest("the default socket is not a service of the mesh", { kinds: ["ours"] }, async (mesh) => {
  const folder = await mesh.folder();
  const port = freePort();
  await using quiet = receptor(
    `--node id=quiet datadir=${folder.path} --tcp-listener bindaddr=127.0.0.1 port=${port}`
      .split(" "),
    { XDG_RUNTIME_DIR: folder.path },
  );
  await quiet.waitForOutput(READY);
  const node = await mesh.node({
    kind: "ours",
    id: "node",
    actions: [{ "tcp-peer": { address: `127.0.0.1:${port}` } }],
  });
  await node.waitForRoute("quiet");
  await using session = await ControlSession.open({ path: folder.join("receptor.sock") });
  const adverts = (await session.json("status")).Advertisements as { NodeID: string }[] | null;
  assert.deepEqual((adverts ?? []).filter(({ NodeID }) => NodeID === "quiet"), []);
  await assert.rejects(
    node.session().then(async (control) => {
      await using _closed = control;
      await control.command("connect quiet control");
    }),
    (error) => error instanceof ControlRefusal && /service unknown/.test(error.message),
  );
});

Deno.test("receptorctl without a node says what to start", async () => {
  await using folder = await TempFolder.create();
  const socket = folder.join("none.sock");
  const given = await receptorctl(["ping", "foo"], { socket });
  assert.equal(given.code, 1);
  assert.match(given.stderr, new RegExp(`Socket path does not exist: ${socket}`));
  assert.match(given.stderr, /receptor --node id=foo --local-only/);
});

const MISTAKES: [args: string, message: RegExp][] = [
  ["--nod id=foo", /^Error: argument 1: unknown config type nod: did you mean "node"\?$/m],
  ["--node idd=foo --local-only", /argument 2: node: unknown field name idd: did you mean "id"\?/],
  ["--tcp-listener port=abc", /argument 2: tcp-listener: port: expected a whole number .*"abc"/],
  ["--tcp-listener bindaddr=::1", /argument 1: tcp-listener: required parameter missing: port/],
  ["--node id=a --node id=b", /argument 3: node: only one "node" .* the first is at argument 1/],
  ["--node id=localhost --local-only", /argument 2: node: id: node ID "localhost" is reserved/],
  [
    "--log-level verbose",
    /log-level: level: verbose is not a valid log level name: expected one of Error, W/,
  ],
  [
    "--config /nowhere.yml",
    /argument 2: error loading config file: open \/nowhere.yml: no such file or dir/,
  ],
];

Deno.test("each mistake on the command line is named, with exit code 1", async () => {
  for (const [args, message] of MISTAKES) {
    const { code, stdout, stderr } = await receptorOnce(args.split(" "));
    assert.equal(code, 1, args);
    assert.match(stdout, message, args);
    assert.equal(stderr, "", "a mistake is no crash");
  }
});

Deno.test("all mistakes of a file are named at once, with file and line", async () => {
  await using folder = await TempFolder.create();
  const path = folder.join("node.yml");
  await Deno.writeTextFile(
    path,
    `---
- node: {id: foo}
- local-onli
- tcp-peer:
    address: 127.0.0.1:2222
    cst: 3
- node:
    id: bar
- tcp-listener: {port: many}
- tcp-peer: {}
`,
  );
  const { code, stdout } = await receptorOnce(["--config", path]);
  assert.equal(code, 1);
  assert.deepEqual(stdout.trimEnd().split("\n").sort(), [
    `Error: ${path}:10: tcp-peer: required parameter missing: address`,
    `Error: ${path}:3: unknown config type local-onli: did you mean "local-only"?`,
    `Error: ${path}:6: tcp-peer: unknown field name cst: did you mean "cost"?`,
    `Error: ${path}:7: node: only one "node" is allowed, the first is at ${path}:2`,
    `Error: ${path}:9: tcp-listener: port: expected a whole number from 0 to 65535, got "many"`,
  ]);
});

Deno.test("a node without a backend says so and ends", async () => {
  const { code, stdout } = await receptorOnce(["--node", `id=${NODE_ID}`]);
  assert.equal(code, 1);
  assert.match(stdout, /^WARNING .* Nothing to do - no backends are running\.$/m);
  assert.match(
    stdout,
    /^WARNING .* Add a tcp-peer to reach another node, a tcp-listener .*--help/m,
  );
});

Deno.test("--help lists every action and parameter, --version the version", async () => {
  const help = await receptorOnce(["--help"]);
  assert.equal(help.code, 0);
  for (const { name, retired, parameters } of actionTable) {
    if (retired) continue;
    assert.match(help.stdout, new RegExp(`^ +--${name}: `, "m"));
    for (const parameter of Object.keys(parameters)) {
      assert.match(help.stdout, new RegExp(`^ +\\[?${parameter}=`, "m"), `${name} ${parameter}`);
    }
  }
  assert.deepEqual(await receptorOnce(["--version"]), {
    code: 0,
    stdout: `${VERSION}\n`,
    stderr: "",
  });
  const completion = await receptorOnce(["--bash-completion"]);
  assert.equal(completion.code, 0);
  assert.match(completion.stdout, /^complete .*receptor/m);
});

/** `--log-level` in the spellings of the original's documentation. */
const DEBUG_SPELLINGS = ["--log-level Debug", "--log-level level=debug", "-- --log-level debug --"];

Deno.test("log lines are the original's text, or JSON on request", async () => {
  await using folder = await TempFolder.create();
  const start = `--node id=foo datadir=${folder.path} --local-only --control-service filename=${
    folder.join("sock")
  }`;
  for (const spelling of DEBUG_SPELLINGS) {
    await using node = receptor(`${start} ${spelling}`.split(" "));
    await node.waitForOutput(/^INFO \d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d Initialization complete$/m);
    await node.waitForOutput(/^DEBUG \d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /m);
    await node.stop();
  }
  const asJson: [string, Record<string, string>][] = [
    ["--log-level level=info format=json", {}],
    ["--log-level info", { RECEPTOR_LOG_FORMAT: "json" }],
  ];
  for (const [flags, env] of asJson) {
    await using node = receptor(`${start} ${flags}`.split(" "), env);
    await node.waitForOutput(READY);
    await node.stop();
    const lines = node.output.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.ok(lines.some(({ message }) => message === "Initialization complete"));
    for (const { time, level } of lines) {
      assert.equal(new Date(time).toISOString(), time);
      assert.match(level, /^(error|warning|info|debug)$/);
    }
  }
});

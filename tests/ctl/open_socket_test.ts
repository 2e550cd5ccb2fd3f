import assert from "node:assert/strict";
import { parseSocketAddress } from "../../lib/ctl/socket_address.ts";
import { describeAccess } from "../../lib/ctl/socket_access.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";
import { eventually } from "../support/eventually.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { FakeNode } from "./fake_node.ts";
import { runMain, type RunOptions } from "./run_main.ts";

Deno.test("socket addresses are read as the original's client reads them", () => {
  const unix = (path: string) => ({ transport: "unix", path });
  assert.deepEqual(parseSocketAddress("/run/x.sock", undefined), unix("/run/x.sock"));
  assert.deepEqual(parseSocketAddress("unix:/x", undefined), unix("/x"));
  assert.deepEqual(parseSocketAddress("unix:///x", undefined), unix("/x"));
  assert.deepEqual(parseSocketAddress("~/x", "/home/me"), unix("/home/me/x"));
  assert.deepEqual(
    parseSocketAddress("tcp://localhost:8888", undefined),
    { transport: "tcp", hostname: "localhost", port: 8888 },
  );
  assert.deepEqual(
    parseSocketAddress("tls:[::1]:1", undefined),
    { transport: "tls", hostname: "::1", port: 1 },
  );
  for (const wrong of ["bad:x", "tcp://host", "tcp://host:99999", "", "http://a:1"]) {
    assert.throws(() => parseSocketAddress(wrong, undefined), /^CtlError: Invalid socket address/);
  }
});

Deno.test("without --socket the default places are tried in order", async () => {
  await using node = await FakeNode.start();
  await Deno.symlink(node.socket, node.folder.join("receptor.sock"));
  await using empty = await TempFolder.create();
  const { code, stdout } = await runMain(["version"], {
    environment: { RUNTIME_DIRECTORY: empty.path, XDG_RUNTIME_DIR: node.folder.path },
  });
  assert.equal(code, 0);
  assert.match(stdout, /receptor {5}1\.6\.9/);
});

Deno.test("for a missing or dead socket the user is told what to do", async () => {
  await using folder = await TempFolder.create();
  const missing = folder.join("none.sock");
  const result = await runMain(["--socket", missing, "status"]);
  assert.equal(result.code, 1);
  assert.equal(
    result.stderr,
    `ERROR: Socket path does not exist: ${missing}. Start a node, for instance with: ` +
      "receptor --node id=foo --local-only\n",
  );
  const dead = Deno.listen({ transport: "unix", path: folder.join("a.sock") });
  await Deno.rename(folder.join("a.sock"), folder.join("dead.sock"));
  dead.close();
  assert.match(
    (await runMain(["--socket", folder.join("dead.sock"), "status"])).stderr,
    /^ERROR: No node answers on .*dead\.sock: the one that made this socket has ended\./,
  );
});

Deno.test("a user who may not use a socket is told who may", async () => {
  await using folder = await TempFolder.create();
  const path = folder.join("c.sock");
  using _listener = Deno.listen({ transport: "unix", path });
  const { uid, gid } = await Deno.lstat(path);
  await Deno.chmod(path, 0o660);
  const described = await describeAccess(path);
  assert.match(described, /^ \(mode 0660, owner \S+, group \S+\): run as \S+, or as a member of/);
  if (uid === 0 && gid === 0) assert.match(described, /owner root, group root/);
  await Deno.chmod(path, 0o600);
  assert.match(await describeAccess(path), /mode 0600.*permissions 0660/);
  assert.match(await describeAccess(folder.join("none")), /may not even enter/);
});

Deno.test("tcp:// sockets work, and one that nobody listens on is named", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const serving = (async () => {
    using conn = await listener.accept();
    await conn.write(new TextEncoder().encode('Receptor Control, node t\n{"Version":"1.6.9"}\n'));
    while (await conn.read(new Uint8Array(100)) !== null);
  })();
  const { code, stdout } = await runMain(["--socket", `tcp://127.0.0.1:${port}`, "version"]);
  await serving;
  assert.deepEqual([code, stdout.includes("receptor     1.6.9")], [0, true]);
  listener.close();
  assert.match(
    (await runMain(["--socket", `tcp://127.0.0.1:${port}`, "version"])).stderr,
    new RegExp(`^ERROR: Could not connect to host 127\\.0\\.0\\.1 port ${port}: `),
  );
});

Deno.test("options of a TLS socket are checked before anything else", async () => {
  const run = async (...words: string[]) => (await runMain([...words, "status"])).stderr;
  assert.equal(await run("-c", "x"), "ERROR: Must specify both config and tlsclient\n");
  assert.equal(
    await run("-c", "x", "--tls-client", "t", "--key", "k"),
    "ERROR: Cannot specify both config and rootcas, key, cert\n",
  );
  assert.match(
    await run("--socket", "tls://127.0.0.1:1", "-c", "/nope", "--tls-client", "t"),
    /^ERROR: Cannot read config \/nope: /,
  );
  // A Unix socket needs no certificates, but a wrong file name is still a mistake.
  assert.match(
    await run("--socket", "/nope.sock", "-c", "/nope", "--tls-client", "t"),
    /^ERROR: Cannot read config \/nope: /,
  );
  await using folder = await TempFolder.create();
  const config = folder.join("receptor.conf");
  await Deno.writeTextFile(config, "- local-only: null\n- tls-client: {name: other}\n");
  assert.equal(
    await run("--socket", "tls://127.0.0.1:1", "-c", config, "--tls-client", "t"),
    `ERROR: Config ${config} has no tls-client named t\n`,
  );
  await Deno.writeTextFile(config, "node: {id: x}\ntls-clients: [{name: other}, ~]\n");
  assert.equal(
    await run("--socket", "tls://127.0.0.1:1", "-c", config, "--tls-client", "t"),
    `ERROR: Config ${config} has no tls-client named t\n`,
  );
  await Deno.writeTextFile(config, "words\n");
  assert.equal(
    await run("--socket", "tls://127.0.0.1:1", "-c", config, "--tls-client", "t"),
    `ERROR: Config ${config} is neither a list nor a map of actions\n`,
  );
});

/** What `receptorctl status` says to a TCP server that sends `hello` and then nothing. */
async function meet(hello: Uint8Array, options: RunOptions = {}) {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const serving = (async () => {
    using conn = await listener.accept();
    if (hello.length > 0) await conn.write(hello);
    while (await conn.read(new Uint8Array(100)) !== null);
  })();
  const result = await runMain(["--socket", `tcp://127.0.0.1:${port}`, "status"], options);
  await serving.catch(() => {});
  return result;
}

Deno.test("a port for links between nodes is recognized at once, as is any other stranger", async () => {
  const message = new TextEncoder().encode('\x01{"NodeID":"foo"');
  const frame = Uint8Array.of(message.length + 100, 0, ...message);
  assert.deepEqual(await meet(frame), {
    code: 1,
    stdout: "",
    stderr: "ERROR: expected a control service, got a listener for links between nodes (such as " +
      "a tcp-listener): the control service has a socket or port of its own\n",
    raw: [],
  });
  assert.match(
    (await meet(new TextEncoder().encode("SSH-2.0-x\x1b[31m\u009b1m\u202e"))).stderr,
    /^ERROR: expected the greeting of a control service, got "SSH-2\.0-x\\u001b\[31m.*"\n$/,
  );
});

Deno.test("a server that never greets is given up on", async () => {
  const clock = new VirtualClock();
  const running = meet(new Uint8Array(0), { clock });
  await eventually(() => clock.pending === 1, { what: "the wait for a greeting" });
  await clock.advance(30_000);
  const { code, stderr } = await running;
  assert.equal(code, 1);
  assert.match(stderr, /^ERROR: No greeting from a control service within 30 s: /);
});

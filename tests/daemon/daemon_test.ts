/** Whole nodes in this process: what their parts do together. */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/base/clock.ts";
import { systemRandom } from "../../lib/base/random.ts";
import type { Config } from "../../lib/config/config.ts";
import { ReloadError, ReloadErrorCode } from "../../lib/control/reload_error.ts";
import { Daemon } from "../../lib/daemon/daemon.ts";
import type { DaemonLog } from "../../lib/daemon/logging.ts";
import type { NodeObserver } from "../../lib/daemon/observers.ts";
import { configOfYaml } from "../config/support.ts";
import { ControlSession, submitWork } from "../support/control_session.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { RecordingLog } from "../sim/recording_log.ts";

function daemonLog(log: RecordingLog): DaemonLog {
  return Object.assign(log, { trace() {}, tracing: false, with: () => daemonLog(log) });
}

interface Options {
  readonly log?: RecordingLog;
  /** What a reload reads; by default, the same again. */
  readonly readConfig?: () => Promise<Config>;
  readonly observers?: readonly NodeObserver[];
}

async function start(yaml: string, options: Options = {}): Promise<Daemon> {
  const { log = new RecordingLog(), observers = [] } = options;
  const { readConfig = () => configOfYaml(yaml) } = options;
  return await Daemon.start(await configOfYaml(yaml), {
    log: daemonLog(log),
    clock: systemClock,
    random: systemRandom,
    environment: (name) => name === "PATH" ? Deno.env.get("PATH") : undefined,
    readConfig,
    observers,
  });
}

function twin(folder: TempFolder, socket: string, more = ""): string {
  return `\
- node: {id: twin, datadir: ${folder.join("data")}}
- control-service: {service: '', filename: ${folder.join(socket)}}
- local-only
${more}`;
}

const CAT = "- work-command: {worktype: cat, command: cat}\n";

Deno.test("a node without work types runs beside another with its id and data folder", async () => {
  await using folder = await TempFolder.create();
  await using _first = await start(twin(folder, "first", CAT));
  const log = new RecordingLog();
  await using _second = await start(twin(folder, "second"), { log });
  assert.match(log.lines.join("\n"), /data\/twin is in use by another node .* takes no work/);

  await using session = await ControlSession.open({ path: folder.join("second") });
  assert.deepEqual(await session.json("work list"), {});
  await session.send('{"command":"work","subcommand":"submit","node":"far","worktype":"cat"}');
  assert.match((await session.readLine())!, /^ERROR: this node takes no work: .*in use by another/);
  await session.send("work status abc");
  assert.equal(await session.readLine(), "ERROR: unknown work unit abc");
});

for (
  const [what, more, unit] of [
    ["offers work types", CAT, undefined],
    ["finds units", "", "unit"],
  ] as const
) {
  Deno.test(`a node that ${what} does not share a data folder`, async () => {
    await using folder = await TempFolder.create();
    await using _first = await start(twin(folder, "first", CAT));
    if (unit !== undefined) await Deno.mkdir(folder.join(`data/twin/${unit}`));
    await assert.rejects(start(twin(folder, "second", more)), /in use by another node/);
  });
}

function isFree(port: number): boolean {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return false;
    throw error;
  }
}

/** A node, and the configurations that its reloads read, each released by the test. */
async function reloadable(folder: TempFolder) {
  const base = twin(folder, "socket");
  const reads: PromiseWithResolvers<string>[] = [];
  const node = await start(base, {
    readConfig: async () => {
      const read = Promise.withResolvers<string>();
      reads.push(read);
      return await configOfYaml(base + await read.promise);
    },
  });
  const untilRead = async (count: number) => {
    while (reads.length < count) await new Promise((resolve) => setImmediate(resolve));
    return reads[count - 1]!;
  };
  return { node, reads, untilRead };
}

function listener(port: number): string {
  return `- tcp-listener: {bindaddr: 127.0.0.1, port: ${port}}\n`;
}

Deno.test("reloads run one after the other, and a failed one does not affect the next", async () => {
  await using folder = await TempFolder.create();
  const { node, reads, untilRead } = await reloadable(folder);
  await using _node = node;
  const port = freePort();
  const [first, second, third] = [node.reload(), node.reload(), node.reload()];
  second.catch(() => {});
  (await untilRead(1)).resolve(listener(port));
  assert.equal(reads.length, 1);
  await first;
  assert.equal(isFree(port), false);
  (await untilRead(2)).resolve("- tcp-peer: {adress: x}\n");
  await assert.rejects(second, (error) => {
    assert.ok(error instanceof ReloadError);
    assert.equal(error.code, ReloadErrorCode.BrokenConfig);
    return true;
  });
  assert.equal(isFree(port), false);
  (await untilRead(3)).reject(new Error("the disk is gone"));
  await assert.rejects(third, /the disk is gone/);
  assert.equal(isFree(port), false);
});

for (const kind of ["tcp-listener", "udp-listener", "ws-listener"]) {
  Deno.test(`a ${kind} that changes keeps its port, and has it back when the reload fails`, async () => {
    await using folder = await TempFolder.create();
    const { node, untilRead } = await reloadable(folder);
    await using _node = node;
    const port = freePort();
    const withCost = (cost: number) =>
      `- ${kind}: {bindaddr: 127.0.0.1, port: ${port}, cost: ${cost}}\n`;
    const reload = async (count: number, more: string) => {
      const reloading = node.reload();
      reloading.catch(() => {});
      (await untilRead(count)).resolve(more);
      await reloading;
    };
    await reload(1, withCost(1));
    await reload(2, withCost(2));
    // The second's port is found to be taken only once the first has its own.
    const twice = withCost(3) + withCost(4);
    await assert.rejects(reload(3, twice), /(in use|EADDRINUSE)/);
    await reload(4, withCost(2));
    await assert.rejects(reload(5, withCost(2) + withCost(5)), /(in use|EADDRINUSE)/);
  });
}

Deno.test("a node that is stopped while a reload reads opens nothing more", async () => {
  await using folder = await TempFolder.create();
  const { node, untilRead } = await reloadable(folder);
  const port = freePort();
  const reload = node.reload();
  const read = await untilRead(1);
  await node[Symbol.asyncDispose]();
  read.resolve(listener(port));
  await assert.rejects(reload, /shutting down/);
  assert.equal(isFree(port), true);
});

Deno.test("observers are told about links, units and refused connections alike", async () => {
  await using folder = await TempFolder.create();
  const [port, wsPort] = [freePort(), freePort()];
  const told = new Set<string>();
  const observer: NodeObserver = {
    linkUp: ({ neighbour }) => void told.add(`link to ${neighbour}`),
    unitChanged: ({ workType }) => void told.add(`unit of ${workType}`),
    connectionRefused: ({ listener }) => void told.add(`refused at ${listener}`),
  };
  const more = `${CAT}${listener(port)}- ws-listener: {bindaddr: 127.0.0.1, port: ${wsPort}}\n`;
  await using _node = await start(twin(folder, "socket", more), { observers: [observer] });
  await using _other = await start(`\
- node: {id: other, datadir: ${folder.join("data")}}
- control-service: {service: '', filename: ${folder.join("other")}}
- tcp-peer: {address: '127.0.0.1:${port}'}
`);
  await submitWork({ path: folder.join("socket") }, {
    node: "localhost",
    worktype: "cat",
    payload: "x",
  });
  using stranger = await Deno.connect({ hostname: "127.0.0.1", port: wsPort });
  await stranger.write(new TextEncoder().encode("HELLO\r\n\r\n"));
  await eventually(() => told.size === 3, { what: "all three to be told" });
  assert.deepEqual(
    told,
    new Set(["link to other", "unit of cat", `refused at 127.0.0.1:${wsPort}`]),
  );
});

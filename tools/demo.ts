/**
 * Runs two nodes on this machine, from configs/demo: shows what they know about each other, a real
 * job from one to the other, and where its time went. Everything is in a private folder that is
 * removed at the end, unless `--keep` leaves the nodes running.
 */
import { parseArgs } from "node:util";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ControlClient } from "../lib/control/client.ts";
import { say } from "./say.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Any text will do. */
const PAYLOAD = join(ROOT, "LICENSE");
const WORK_TYPE = "wc";
/** What the demo replaces in the configs: the port, and the folder of data and sockets. */
const CONFIG_PORT = "7323";
const CONFIG_FOLDER = "/tmp/";
/**
 * For the whole demo. A slow machine may need some seconds for the first start; more is a failure.
 */
const PATIENCE_MS = 60_000;
/** How long a node may take to stop before it is killed. */
const STOP_PATIENCE_MS = 10_000;
const RETRY_MS = 10;

const HELP = `Usage: deno task demo [--keep]

  --keep  leave the two nodes running, and say how to talk to them`;

interface RunningNode {
  id: string;
  socket: string;
  log: string;
  process: Deno.ChildProcess;
}

/** Milliseconds for people to read. */
function milliseconds(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Retries until `attempt` succeeds; throws the signal's reason if it aborts. */
async function retrying<T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
  while (true) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch {
      // Not yet.
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

async function connect(node: RunningNode, signal: AbortSignal): Promise<ControlClient> {
  const conn = await Deno.connect({ transport: "unix", path: node.socket });
  return await ControlClient.connect(conn, { signal });
}

/** A copy of a demo config with another port and folder, and a daemon that runs on it. */
async function startNode(id: string, folder: string, port: number): Promise<RunningNode> {
  const config = join(folder, `${id}.yml`);
  const text = await Deno.readTextFile(join(ROOT, "configs/demo", `${id}.yml`));
  await Deno.writeTextFile(
    config,
    text.replaceAll(CONFIG_PORT, `${port}`).replaceAll(CONFIG_FOLDER, `${folder}/`),
  );
  const log = join(folder, `${id}.log`);
  // The shell only redirects; with exec, the daemon takes its place.
  const process = new Deno.Command("/bin/sh", {
    args: [
      ...["-c", 'exec "$@" >"$0" 2>&1', log],
      ...[Deno.execPath(), "run", "-A", "--quiet", join(ROOT, "main.ts"), "--config", config],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return { id, socket: join(folder, `${id}.sock`), log, process };
}

/** Resolves once the node's control service greets; fails at once if its process ends. */
async function ready(node: RunningNode, signal: AbortSignal): Promise<void> {
  const giveUp = new AbortController();
  const ended = node.process.status.then(({ code }) => {
    throw new Error(`Node ${node.id} ended with code ${code} at its start`);
  });
  const either = AbortSignal.any([signal, giveUp.signal]);
  const greeted = retrying(async () => (await connect(node, either)).close(), either);
  try {
    await Promise.race([greeted, ended]);
  } finally {
    giveUp.abort();
    await greeted.catch(() => {});
    ended.catch(() => {});
  }
}

/** Runs receptorctl visibly, as the user would. */
async function receptorctl(
  node: RunningNode,
  args: string[],
  signal: AbortSignal,
): Promise<void> {
  say(`\n$ receptorctl --socket ${node.socket} ${args.join(" ")}`);
  const { success, code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", join(ROOT, "ctl.ts"), "--socket", node.socket, ...args],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
    signal,
  }).spawn().status;
  signal.throwIfAborted();
  if (!success) throw new Error(`receptorctl ${args[0]} ended with code ${code}`);
}

/** One job from `from` to `to`, each step with the time it took. */
async function timedJob(from: RunningNode, to: RunningNode, signal: AbortSignal): Promise<void> {
  const payload = await Deno.readFile(PAYLOAD);
  say(`\nThe same once more, with a clock: ${basename(PAYLOAD)} to ${WORK_TYPE} on ${to.id}`);
  const steps: [string, number][] = [];
  const start = performance.now();
  let last = start;
  const done = (step: string) => {
    const now = performance.now();
    steps.push([step, now - last]);
    last = now;
  };

  using submitting = await connect(from, signal);
  done("connect to the control socket");
  const { unitId } = await submitting.submit({ node: to.id, workType: WORK_TYPE }, [payload], {
    onCreated: () => done("submit: unit created"),
    signal,
  });
  done(`payload of ${payload.length} bytes sent, job accepted`);
  using reading = await connect(from, signal);
  const results = await reading.results(unitId, 0, { signal });
  const onAbort = () => results.close();
  signal.addEventListener("abort", onAbort, { once: true });
  const chunk = new Uint8Array(4096);
  let output = "";
  for (let count; (count = await results.read(chunk)) !== null;) {
    if (output === "") done(`travel to ${to.id}, start, run, first output back`);
    output += new TextDecoder().decode(chunk.subarray(0, count));
  }
  signal.throwIfAborted();
  done("last output, end of the unit");
  const total = performance.now() - start;
  using releasing = await connect(from, signal);
  const { StateName, Detail } = await releasing.command(`work status ${unitId}`);
  await releasing.command(`work release ${unitId}`);

  say(`  result: ${output.trim()}   (${StateName}: ${Detail})`);
  for (const [step, ms] of steps) say(`  ${milliseconds(ms).padStart(9)}  ${step}`);
  say(`  ${milliseconds(total).padStart(9)}  from submit to result`);
}

async function show(folder: string, nodes: RunningNode[], signal: AbortSignal): Promise<void> {
  const port = freePort();
  // One after the other: a peer that finds nobody listening waits some seconds before it redials.
  const start = async (id: string, what: string) => {
    const begin = performance.now();
    const node = await startNode(id, folder, port);
    nodes.push(node);
    await ready(node, signal);
    const took = milliseconds(performance.now() - begin);
    say(`  ${id}  process ${node.process.pid}, ${what}, ready after ${took}`);
    return node;
  };
  const foo = await start("foo", `listens on 127.0.0.1:${port}`);
  const bar = await start("bar", "connects to foo");
  const begin = performance.now();
  await retrying(async () => {
    using client = await connect(foo, signal);
    const { RoutingTable } = await client.command("status", { signal });
    if (!(RoutingTable as Record<string, string>)?.[bar.id]) throw new Error("No route to bar");
  }, signal);
  say(`  route from foo to bar ${milliseconds(performance.now() - begin)} later`);

  const submit = ["work", "submit", WORK_TYPE, "--node", bar.id, "--payload", PAYLOAD];
  await receptorctl(foo, ["status"], signal);
  await receptorctl(foo, ["ping", bar.id, "--count", "1"], signal);
  await receptorctl(foo, ["traceroute", bar.id], signal);
  await receptorctl(foo, [...submit, "--follow", "--rm"], signal);
  await timedJob(foo, bar, signal);
}

async function stop(nodes: RunningNode[]): Promise<void> {
  const signalAll = (signal: Deno.Signal) => {
    for (const { process } of nodes) {
      try {
        process.kill(signal);
      } catch {
        // It has ended already.
      }
    }
  };
  signalAll("SIGTERM");
  const insist = setTimeout(() => signalAll("SIGKILL"), STOP_PATIENCE_MS);
  await Promise.all(nodes.map(({ process }) => process.status));
  clearTimeout(insist);
}

async function main(keep: boolean): Promise<void> {
  const interrupted = new AbortController();
  Deno.addSignalListener("SIGINT", () => interrupted.abort(new Error("interrupted")));
  const folder = await Deno.makeTempDir({ prefix: "receptor-demo-" });
  const nodes: RunningNode[] = [];
  let failed = true;
  try {
    say(`Starting two nodes in ${folder}`);
    const late = AbortSignal.timeout(PATIENCE_MS);
    await show(folder, nodes, AbortSignal.any([interrupted.signal, late]));
    failed = false;
  } catch (error) {
    say(`\nThe demo failed: ${error instanceof Error ? error.message : error}`);
    for (const { id, log } of nodes) {
      const text = await Deno.readTextFile(log).catch(() => "");
      say(`\nLog of ${id}:\n${text.slice(-4000)}`);
    }
  }
  if (keep && !failed) {
    const [foo] = nodes as [RunningNode];
    say(`
The nodes run on. Talk to them with
  npx -y deno@${Deno.version.deno} run -A ctl.ts --socket ${foo.socket} status
  npx -y deno@${Deno.version.deno} run -A ctl.ts --socket ${foo.socket} work submit sort --node bar --payload README.md --follow
read their logs in ${folder}, and stop them with
  kill ${nodes.map(({ process }) => process.pid).join(" ")}; rm -r ${folder}`);
    Deno.exit(0);
  }
  await stop(nodes);
  await Deno.remove(folder, { recursive: true });
  if (!failed) say("\nBoth nodes stopped, nothing left behind.");
  Deno.exit(failed ? 1 : 0);
}

const { values: options } = parseArgs({
  options: { keep: { type: "boolean", default: false }, help: { type: "boolean", default: false } },
});
if (options.help) say(HELP);
else await main(options.keep);

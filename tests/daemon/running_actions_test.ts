/**
 * Reloads that fail at each step: the backends are either all those of the new configuration or all
 * the old ones.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ListenError } from "../../lib/backends/listen_address.ts";
import { silentLog } from "../../lib/base/log.ts";
import type { ActionSpec, ConfigOf, Configured } from "../../lib/config/action.ts";
import { tcpListener, tcpPeer } from "../../lib/config/actions/backends.ts";
import { InvalidConfigError } from "../../lib/config/config_error.ts";
import {
  type OpenAction,
  type PreparedAction,
  RunningActions,
} from "../../lib/daemon/running_actions.ts";

type Step = "prepare" | "open" | "run" | "stop";
type AnyConfigured = Configured<ActionSpec>;

interface Hosted {
  readonly configured: AnyConfigured;
  readonly end: () => void;
}

/** Stands in for the mesh and the system's ports; fails at one step if told to. */
class World {
  readonly running: Hosted[] = [];
  readonly ports = new Map<number, unknown>();
  readonly stopped: AnyConfigured[] = [];
  fault: { step: Step; at: number } | undefined;
  /** Called, and awaited, by each `open`. */
  beforeOpen: () => Promise<void> | void = () => {};

  readonly actions = new RunningActions({
    log: silentLog,
    prepare: (configured) => this.#prepare(configured),
  });

  apply(actions: readonly AnyConfigured[]) {
    return this.actions.apply(actions);
  }

  #failAt(step: Step): void {
    if (this.fault?.step !== step || this.fault.at-- > 0) return;
    this.fault = undefined;
    throw new Error(`${step} failed`);
  }

  // deno-lint-ignore require-await -- what it throws must be a rejection
  async #prepare(configured: AnyConfigured): Promise<PreparedAction> {
    this.#failAt("prepare");
    const { port, tls } = configured.values as { port?: number; tls?: string };
    if (tls !== undefined) throw new Error(`unknown TLS config ${tls}`);
    return {
      holds: port === undefined ? [] : [`tcp ${port}`],
      open: () => this.#open(configured, port),
    };
  }

  async #open(configured: AnyConfigured, port?: number): Promise<OpenAction> {
    await this.beforeOpen();
    this.#failAt("open");
    if (port !== undefined && this.ports.has(port)) {
      throw new ListenError("taken", { cause: new Deno.errors.AddrInUse() });
    }
    const owner = {};
    const release = () => {
      if (port !== undefined && this.ports.get(port) === owner) this.ports.delete(port);
    };
    if (port !== undefined) this.ports.set(port, owner);
    return {
      run: () => this.#run(configured, release),
      [Symbol.asyncDispose]: () => Promise.resolve(release()),
    };
  }

  #run(configured: AnyConfigured, release: () => void) {
    this.#failAt("run");
    const ended = Promise.withResolvers<void>();
    const end = () => {
      release();
      const index = this.running.indexOf(hosted);
      if (index >= 0) this.running.splice(index, 1);
      ended.resolve();
    };
    const hosted = { configured, end };
    this.running.push(hosted);
    return {
      ended: ended.promise,
      // deno-lint-ignore require-await -- what it throws must be a rejection
      [Symbol.asyncDispose]: async () => {
        this.stopped.push(configured);
        end();
        this.#failAt("stop");
      },
    };
  }
}

function configured<A extends ActionSpec>(action: A, values: Partial<ConfigOf<A>>): AnyConfigured {
  return { action, values: values as ConfigOf<ActionSpec>, position: { kind: "implicit" } };
}

const ONCE = configured(tcpPeer, { address: "a:1", redial: false });
const LISTENER = configured(tcpListener, { port: 1, cost: 1 });
const CHANGED = configured(tcpListener, { port: 1, cost: 2 });
const OTHER = configured(tcpListener, { port: 2, cost: 1 });
const CHOICE: readonly AnyConfigured[] = [
  ONCE,
  LISTENER,
  CHANGED,
  OTHER,
  configured(tcpPeer, { address: "b:1", cost: 1 }),
  configured(tcpPeer, { address: "b:1", cost: 2 }),
  configured(tcpPeer, { address: "c:1", tls: "typo" }),
  configured(tcpListener, { port: 2, cost: 2 }),
];

function sorted(list: readonly AnyConfigured[]): string[] {
  return list.map(({ values }) => JSON.stringify(values)).sort();
}

function portsOf(list: readonly Hosted[]): number[] {
  return list.flatMap(({ configured }) => (configured.values as { port?: number }).port ?? [])
    .sort();
}

const fault = fc.record({
  step: fc.constantFrom<Step>("prepare", "open", "run", "stop"),
  at: fc.nat({ max: 4 }),
});
const operation = fc.oneof(
  fc.record({
    kind: fc.constant("reload" as const),
    actions: fc.subarray([...CHOICE]),
    fault: fc.option(fault, { nil: undefined }),
  }),
  fc.record({ kind: fc.constant("end" as const), which: fc.nat() }),
);

Deno.test("a reload that fails at any step leaves the previous ones running", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 12 }), async (operations) => {
      const world = new World();
      // Those of the current configuration that ended by themselves.
      let ended: AnyConfigured[] = [];
      for (const op of operations) {
        const before = [...world.running];
        if (op.kind === "end") {
          if (before.length === 0) continue;
          const hosted = before[op.which % before.length]!;
          hosted.end();
          ended.push(hosted.configured);
          await Promise.resolve();
          continue;
        }
        world.fault = op.fault && { ...op.fault };
        world.stopped.length = 0;
        const failure = await world.apply(op.actions).then(() => undefined, (error) => error);
        world.fault = undefined;
        if (failure === undefined) {
          ended = ended.filter((action) => op.actions.includes(action));
          const alive = op.actions.filter((action) => !ended.includes(action));
          assert.deepEqual(
            sorted(world.running.map(({ configured }) => configured)),
            sorted(alive),
          );
        } else {
          assert.ok(failure instanceof InvalidConfigError, String(failure));
          assert.deepEqual(
            sorted(world.running.map(({ configured }) => configured)),
            sorted(before.map(({ configured }) => configured)),
          );
        }
        // Backends in both configurations were not touched.
        for (const hosted of before) {
          if (op.actions.includes(hosted.configured)) assert.ok(world.running.includes(hosted));
        }
        // Mistakes that can be found without side effects cost no link.
        const typo = op.actions.some(({ values }) => "tls" in values);
        if (typo || op.fault?.step === "prepare" && failure !== undefined) {
          assert.deepEqual(world.stopped, []);
        }
        assert.deepEqual([...world.ports.keys()].sort(), portsOf(world.running));
      }
      await world.actions[Symbol.asyncDispose]();
      assert.deepEqual([world.running.length, world.ports.size], [0, 0]);
    }),
    { numRuns: 500 },
  );
});

Deno.test("a port that somebody else has is detected before a link is touched", async () => {
  const world = new World();
  await world.apply([ONCE, LISTENER]);
  world.ports.set(2, {});
  await assert.rejects(world.apply([OTHER]), InvalidConfigError);
  assert.deepEqual(world.stopped, []);
  world.ports.delete(2);
  await world.apply([OTHER]);
  await world.actions[Symbol.asyncDispose]();
});

Deno.test("actions that cannot start again are started by the next reload", async () => {
  const world = new World();
  await world.apply([LISTENER]);
  // Somebody takes the port during the moment when it is free.
  world.beforeOpen = () => {
    if (world.running.length === 0) world.ports.set(1, {});
  };
  await assert.rejects(world.apply([CHANGED]), InvalidConfigError);
  assert.equal(world.running.length, 0);
  world.beforeOpen = () => {};
  world.ports.clear();
  await world.apply([LISTENER]);
  assert.equal(world.running.length, 1);
  await world.actions[Symbol.asyncDispose]();
});

for (const moment of ["beside the old ones", "after the old ones"] as const) {
  Deno.test(`a node that stops while a reload opens ports ${moment} leaves none open`, async () => {
    const world = new World();
    await world.apply([LISTENER]);
    const gate = Promise.withResolvers<void>();
    const opening = Promise.withResolvers<void>();
    world.beforeOpen = () => {
      if (moment === "after the old ones" && world.running.length > 0) return;
      opening.resolve();
      return gate.promise;
    };
    const reload = world.apply(moment === "beside the old ones" ? [LISTENER, OTHER] : [CHANGED]);
    await opening.promise;
    const stopping = world.actions[Symbol.asyncDispose]();
    gate.resolve();
    await assert.rejects(reload, /shutting down/);
    await stopping;
    assert.deepEqual([world.running.length, world.ports.size], [0, 0]);
    await assert.rejects(world.apply([LISTENER]), /shutting down/);
    assert.equal(world.ports.size, 0);
  });
}

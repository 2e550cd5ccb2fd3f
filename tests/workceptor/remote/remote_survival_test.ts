/** A remote unit comes to one end, and runs at most once, whatever happens in whatever order. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { VirtualRemote, type VirtualSetup } from "./_virtual.ts";

type Event =
  | "cancel"
  | "release"
  | "force release"
  | "restart near"
  | "restart far"
  | "crash far"
  | "route lost"
  | "route back"
  | "cut streams"
  | "cut what is sent next"
  | "cut what comes back next"
  | "lose the unit"
  | "refuse";

/** What happens, and how many milliseconds pass before the next. */
type Story = readonly (readonly [Event, number])[];

/** Longer than the longest job, idle time and pause between two attempts. */
const LONG_MS = 20 * 60_000;

const anySetup: fc.Arbitrary<VirtualSetup> = fc.record({
  ttlMs: fc.constantFrom(undefined, 300, 5_000, 90_000),
  payloadBytes: fc.constantFrom(5, 200_000),
  jobMs: fc.constantFrom(0, 3_000, 200_000),
  seed: fc.nat(1000),
  beginning: fc.constantFrom<VirtualSetup["beginning"]>(
    "well",
    "without a route",
    "with a cut payload",
    "with a cut reply",
  ),
});
const anyEvent = fc.constantFrom<Event>(
  "cancel",
  "release",
  "force release",
  "restart near",
  "restart far",
  "crash far",
  "route lost",
  "route back",
  "cut streams",
  "cut what is sent next",
  "cut what comes back next",
  "lose the unit",
  "refuse",
);
const anyStory: fc.Arbitrary<Story> = fc.array(
  fc.tuple(anyEvent, fc.constantFrom(0, 1, 60, 700, 5_000, 50_000, 120_000)),
  { maxLength: 8 },
);

/** Its node died in the middle of the payload. */
const CANCELLED_PAST_ITS_TTL: [VirtualSetup, Story] = [
  { ttlMs: 5_000, payloadBytes: 200_000, jobMs: 0, seed: 1, beginning: "with a cut payload" },
  [["route lost", 60], ["cancel", 50_000]],
];

function happen(event: Event, remote: VirtualRemote): Promise<unknown> | void {
  const { network, far, unit } = remote;
  switch (event) {
    case "cancel":
      return void unit.cancel().catch(() => {});
    case "release":
    case "force release":
      return void unit.release({ force: event === "force release" }).catch(() => {});
    case "restart near":
      return remote.restartNear();
    case "restart far":
      return remote.restartFar(2_000, "restart");
    case "crash far":
      return remote.restartFar(2_000, "crash");
    case "route lost":
      return network.setUp(false);
    case "route back":
      return network.setUp(true);
    case "cut streams":
      return network.breakStreams();
    case "cut what is sent next":
      return remote.cutNext("there", 100_000);
    case "cut what comes back next":
      return remote.cutNext("back", 100);
    case "lose the unit":
      // A node that has run a unit and forgotten it before anybody knew cannot be told from one that
      // never got it.
      if (far.runs === 0 || started(remote)) far.units.clear();
      return;
    case "refuse":
      far.refuses = true;
  }
}

function started({ unit }: VirtualRemote): boolean {
  return (unit.extraData as { RemoteStarted: boolean }).RemoteStarted;
}

/** Moves on, and checks that no more attempts were made than make sense in that time. */
async function pass(ms: number, remote: VirtualRemote): Promise<void> {
  const { clock, network } = remote;
  const before = network.lookups;
  await clock.advance(ms);
  const most = 60 + 10 * (ms / 1000);
  const tries = network.lookups - before;
  assert.ok(!clock.isBusy, "time stands still");
  assert.ok(tries <= most, `${tries} looks for a route in ${ms} ms`);
}

async function live(setup: VirtualSetup, story: Story): Promise<void> {
  await using remote = new VirtualRemote(setup);
  const { far, network } = remote;
  await pass(10, remote);
  for (const [event, ms] of story) {
    await happen(event, remote);
    await pass(ms, remote);
    assert.ok(far.runs <= 1, "it ran more than once");
  }
  network.onDial = () => {};
  network.setUp(true);
  await pass(LONG_MS, remote);
  const { ledger } = remote.unit;
  assert.ok(far.runs <= 1, "it ran more than once");
  assert.ok(ledger.removed || ledger.complete, JSON.stringify(ledger.record));
  const wanted = story.some(([event]) => event === "release" || event === "force release");
  assert.ok(!wanted || ledger.removed, "it was released and is still there");
}

Deno.test("a remote unit comes to one end and runs at most once, whatever happens", async () => {
  await fc.assert(
    fc.asyncProperty(anySetup, anyStory, live),
    { numRuns: 400, interruptAfterTimeLimit: 60_000, examples: [CANCELLED_PAST_ITS_TTL] },
  );
});

import assert from "node:assert/strict";
import fc from "fast-check";
import { UnitState } from "../../../lib/control/work_service.ts";
import {
  type CommandEvent,
  type CommandPhase,
  type CommandStep,
  type Transition,
  transition,
  type UnitEnd,
} from "../../../lib/workceptor/command/command_decision.ts";

type Phase = CommandPhase<string>;
type Event = CommandEvent<string>;
type Step = CommandStep<string>;

const CANCELED: UnitEnd = { State: UnitState.Canceled, Detail: "Canceled" };
const LOST: UnitEnd = { State: UnitState.Failed, Detail: "lost" };
const done = { State: UnitState.Succeeded, Detail: "exit status 0" };
const seen = { ...done, unseen: false };
const unseen = { ...LOST, unseen: true };

const stopping = (end: UnitEnd, thenRemove: boolean): Phase => ({
  is: "stopping",
  job: "j",
  end,
  thenRemove,
});

/**
 * The decision creates the object for a cancel; where its identity matters, it is taken from here.
 */
const cancelling = transition<string>({ is: "running", job: "j" }, { is: "wish", wish: "cancel" })
  .phase;
const releasing = transition<string>({ is: "running", job: "j" }, { is: "wish", wish: "release" })
  .phase;

const PHASES = {
  waiting: { is: "waiting" },
  starting: { is: "starting" },
  running: { is: "running", job: "j" },
  cancelling,
  releasing,
  clearing: stopping(LOST, false),
  over: { is: "over", started: true },
  unknown: { is: "unknown" },
} satisfies Record<string, Phase>;

const EVENTS = {
  start: { is: "start" },
  notStarted: { is: "not started", reason: "bad" },
  abandoned: { is: "abandoned", reason: "cut" },
  started: { is: "started", job: "j" },
  found: { is: "found", job: "j", wish: undefined },
  foundWithCancel: { is: "found", job: "j", wish: "cancel" },
  foundWithRelease: { is: "found", job: "j", wish: "release", outcome: seen },
  foundEnded: { is: "found", job: "j", wish: undefined, outcome: seen },
  foundLost: { is: "found", job: "j", wish: undefined, outcome: unseen },
  foundComplete: { is: "found complete" },
  foundUnknown: { is: "found unknown" },
  ended: { is: "ended", outcome: seen },
  lost: { is: "ended", outcome: unseen },
  stopped: { is: "stopped", left: [] },
  stoppedInPart: { is: "stopped", left: [{ pid: 7, name: "sudo" }] },
  cancel: { is: "wish", wish: "cancel" },
  release: { is: "wish", wish: "release" },
  force: { is: "forced release" },
} satisfies Record<string, Event>;

const fail = (Detail: string): Step => ({ do: "end", end: { State: UnitState.Failed, Detail } });
const end = (end: UnitEnd): Step => ({ do: "end", end });
const follow: Step = { do: "follow", job: "j" };
const stop: Step = { do: "stop", job: "j" };
const insist: Step = { do: "insist" };
const remove: Step = { do: "remove" };
const record = (wish: "cancel" | "release"): Step => ({ do: "record wish", wish });
const LEFT = "; processes of it could not be stopped: 7 (sudo)";

type Expected = [phase: Phase, ...steps: Step[]];

const over: Phase = { is: "over", started: true };
const neverStarted: Phase = { is: "over", started: false };

/** Before there is a job; abandoning and a first start differ and are listed below. */
const beforeTheJob: Partial<Record<keyof typeof EVENTS, Expected>> = {
  start: [{ is: "starting" }],
  started: [PHASES.running, follow],
  found: [PHASES.running, follow],
  foundWithCancel: [cancelling, stop],
  foundWithRelease: [releasing, stop],
  foundEnded: [over, end(done)],
  foundLost: [PHASES.clearing, stop],
  foundComplete: [over],
  foundUnknown: [PHASES.unknown],
  cancel: [neverStarted, end(CANCELED)],
  release: [neverStarted, end(CANCELED)],
  force: [neverStarted, end(CANCELED)],
};

/** What is not listed changes nothing. */
const EXPECTED: Record<keyof typeof PHASES, Partial<Record<keyof typeof EVENTS, Expected>>> = {
  waiting: {
    ...beforeTheJob,
    abandoned: [neverStarted, fail("cut")],
    notStarted: [neverStarted, fail("bad")],
  },
  starting: { ...beforeTheJob, notStarted: [over, fail("bad")] },
  running: {
    ended: [over, end(done)],
    lost: [PHASES.clearing, stop],
    cancel: [cancelling, record("cancel"), stop],
    release: [releasing, record("release"), stop],
    force: [cancelling, stop, insist],
  },
  cancelling: {
    stopped: [over, end(CANCELED)],
    stoppedInPart: [over, end({ ...CANCELED, Detail: `Canceled${LEFT}` })],
    release: [releasing, record("release")],
    force: [cancelling, insist],
  },
  releasing: {
    stopped: [over, end(CANCELED), remove],
    stoppedInPart: [over, end({ ...CANCELED, Detail: `Canceled${LEFT}` }), remove],
    force: [releasing, insist],
  },
  clearing: {
    stopped: [over, end(LOST)],
    stoppedInPart: [over, end({ ...LOST, Detail: `lost${LEFT}` })],
    cancel: [cancelling, record("cancel")],
    release: [releasing, record("release")],
    force: [PHASES.clearing, insist],
  },
  over: {},
  unknown: {},
};

Deno.test("every event in every phase leads where it should, and meaningless ones nowhere", async (t) => {
  for (const [phaseName, phase] of Object.entries(PHASES)) {
    for (const [eventName, event] of Object.entries(EVENTS)) {
      await t.step(`${phaseName}, ${eventName}`, () => {
        const row = EXPECTED[phaseName as keyof typeof PHASES];
        const [next, ...steps] = row[eventName as keyof typeof EVENTS] ?? [phase];
        assert.deepEqual(transition<string>(phase, event), { phase: next, steps });
      });
    }
  }
});

Deno.test("whatever happens in whatever order, a unit ends once, and after that nothing begins", () => {
  const events = fc.array(fc.constantFrom(...Object.values(EVENTS) as Event[]), { maxLength: 20 });
  fc.assert(fc.property(events, (events) => {
    let phase: Phase = { is: "waiting" };
    const steps: Step[] = [];
    for (const event of events) {
      const next: Transition<string> = transition(phase, event);
      phase = next.phase;
      steps.push(...next.steps);
    }
    const kinds = steps.map((step) => step.do);
    const ends = kinds.filter((kind) => kind === "end").length;
    assert.ok(ends <= 1, kinds.join());
    assert.ok(kinds.filter((kind) => kind === "stop").length <= 1, "stopped twice");
    if (ends === 1) {
      const rest = kinds.slice(kinds.indexOf("end") + 1);
      assert.ok(rest.every((kind) => kind === "remove"), rest.join());
    }
    const asked = steps.some((step) => step.do === "record wish" && step.wish === "release");
    if (asked && ends === 1) assert.equal(kinds.at(-1), "remove", "a release was forgotten");
  }));
});

Deno.test("of many processes that could not be stopped some are named", () => {
  const left = Array.from({ length: 12 }, (_, i) => ({ pid: i + 1, name: "x" }));
  const [step] = transition<string>(cancelling, { is: "stopped", left }).steps;
  assert.ok(step?.do === "end");
  assert.match(step.end.Detail, /^Canceled; .*: 1 \(x\), .* 10 \(x\), and 2 more$/);
});

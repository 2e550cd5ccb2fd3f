import assert from "node:assert/strict";
import fc from "fast-check";
import { ControlProtocolError } from "../../../lib/control/client.ts";
import { UnitState } from "../../../lib/control/work_service.ts";
import {
  isFetched,
  judgeSubmission,
  nextStep,
  readRemoteStatus,
  type RemoteStep,
} from "../../../lib/workceptor/remote/remote_decision.ts";
import {
  expirationTime,
  formatExpiration,
  newRemoteExtraData,
  readRemoteExtraData,
  type StoredRemoteExtraData,
  visibleRemoteExtraData,
} from "../../../lib/workceptor/remote/remote_extra_data.ts";

const NOW = Date.parse("2026-11-21T00:00:00Z");

function extra(changed: Partial<StoredRemoteExtraData> = {}): StoredRemoteExtraData {
  return {
    ...newRemoteExtraData({
      node: "far",
      workType: "cat",
      tlsClient: "",
      signWork: false,
      params: {},
      expiresAt: undefined,
    }),
    ...changed,
  };
}

const nothingKnown = { mayBeSent: false, cancelPassed: false };
const sent = { RemoteUnitID: "id" };
const started = { RemoteUnitID: "id", RemoteStarted: true };
const past = { Expiration: new Date(NOW - 1).toISOString() };
const future = { Expiration: new Date(NOW + 1).toISOString() };

Deno.test("the next step follows from the record", async (t) => {
  const { Pending, Running, Succeeded, Failed } = UnitState;
  const cases: [UnitState, Partial<StoredRemoteExtraData>, RemoteStep][] = [
    [Pending, {}, "submit"],
    [Pending, future, "submit"],
    [Pending, past, "expire"],
    [Pending, sent, "inquire"],
    [Pending, { ...sent, ...past }, "expire"],
    [Pending, { ...started, ...past }, "follow"],
    [Running, started, "follow"],
    [Succeeded, started, "rest"],
    [Failed, {}, "rest"],
    [Pending, { LocalCancelled: true }, "drop"],
    [Pending, { ...sent, LocalCancelled: true }, "cancel"],
    [Running, { ...started, LocalCancelled: true }, "cancel"],
    [Failed, { ...started, LocalCancelled: true }, "rest"],
    [Failed, { ...sent, ...past, LocalCancelled: true }, "cancel"],
    [Pending, { ...sent, ...future, LocalCancelled: true }, "cancel"],
    [Pending, { ...sent, ...past, LocalCancelled: true }, "expire"],
    [Running, { ...started, ...past, LocalCancelled: true }, "cancel"],
    [Pending, { ...sent, ...past, LocalReleased: true }, "release"],
    [Pending, { LocalReleased: true }, "delete"],
    [Running, { ...started, LocalReleased: true }, "release"],
    [Succeeded, { ...started, LocalReleased: true, LocalCancelled: true }, "release"],
  ];
  for (const [State, changed, step] of cases) {
    await t.step(`${State} ${JSON.stringify(changed)}: ${step}`, () => {
      assert.equal(nextStep({ State }, extra(changed), nothingKnown, NOW).step, step);
    });
  }
});

Deno.test("a cancel that was passed on is followed to its end", () => {
  const memory = { mayBeSent: false, cancelPassed: true };
  const cancelled = { ...started, LocalCancelled: true };
  assert.deepEqual(nextStep({ State: UnitState.Running }, extra(cancelled), memory, NOW), {
    step: "follow",
  });
});

const anyExtra = fc.record({
  RemoteUnitID: fc.constantFrom("", "id"),
  RemoteStarted: fc.boolean(),
  LocalCancelled: fc.boolean(),
  LocalReleased: fc.boolean(),
  Expiration: fc.constantFrom(past.Expiration, future.Expiration, "0001-01-01T00:00:00Z", "odd"),
});
const anyMemory = fc.record({ mayBeSent: fc.boolean(), cancelPassed: fc.boolean() });
const anyState = fc.constantFrom(...Object.values(UnitState));

Deno.test("nothing is sent that may have arrived, was cancelled, or is over", () => {
  fc.assert(fc.property(anyState, anyExtra, anyMemory, (State, changed, memory) => {
    const record = extra(changed);
    if (nextStep({ State }, record, memory, NOW).step !== "submit") return;
    assert.ok(record.RemoteUnitID === "" || memory.mayBeSent);
    assert.ok(!record.RemoteStarted && !record.LocalCancelled && !record.LocalReleased);
    assert.ok(State === UnitState.Pending || State === UnitState.Running);
  }));
});

Deno.test("a wish is carried out before anything else, and without a remote node if there is none", () => {
  fc.assert(fc.property(anyState, anyExtra, anyMemory, (State, changed, memory) => {
    const record = extra(changed);
    const { step } = nextStep({ State }, record, memory, NOW);
    const neverSent = record.RemoteUnitID === "";
    if (record.LocalReleased) assert.equal(step, neverSent ? "delete" : "release");
    else if (record.LocalCancelled) {
      assert.ok(["drop", "cancel", "follow", "rest", "expire"].includes(step));
    }
    if (neverSent) assert.ok(!["cancel", "release", "inquire"].includes(step));
  }));
});

Deno.test("a deadline lies in the future, and once reached there is another step without one", () => {
  fc.assert(fc.property(anyState, anyExtra, anyMemory, (State, changed, memory) => {
    const record = extra(changed);
    const { until } = nextStep({ State }, record, memory, NOW);
    if (until === undefined) return;
    assert.ok(until > NOW);
    assert.deepEqual(nextStep({ State }, record, memory, until), { step: "expire" });
  }));
});

Deno.test("a submission of unknown outcome is judged by the unit's state there", async (t) => {
  const { Pending, Running, Succeeded, Failed, Canceled } = UnitState;
  const cases: [UnitState, string, boolean, ReturnType<typeof judgeSubmission>][] = [
    [Pending, "Unit Created", true, "waiting"],
    [Pending, "Waiting for Input Data", false, "waiting"],
    [Pending, "Waiting for Input Data", true, "waiting"],
    [Pending, "Starting Worker", true, "started"],
    [Pending, "Launching command runner", true, "started"],
    [Running, "Running: PID 3", true, "started"],
    [Succeeded, "exit status 0", true, "started"],
    [Canceled, "Canceled", true, "started"],
    [Failed, "exit status 1", true, "started"],
    [Failed, "Error reading input data: timeout: no recent network activity", true, "never ran"],
    [
      Failed,
      "Error reading input data: the node restarted before the job was started",
      true,
      "never ran",
    ],
    [Failed, "Pending at restart", true, "started"],
    [Failed, "Pending at restart", false, "never ran"],
    [Failed, "Job lost: the machine restarted while it was running", true, "started"],
  ];
  for (const [State, Detail, payloadSent, verdict] of cases) {
    await t.step(`${State} ${Detail}, ${payloadSent}: ${verdict}`, () => {
      assert.equal(judgeSubmission({ State, Detail, StdoutSize: 0 }, payloadSent), verdict);
    });
  }
});

Deno.test("a reply that is not a status is refused", () => {
  const good = { State: 1, Detail: "x", StdoutSize: 3, ExtraData: null, StateName: "Running" };
  assert.deepEqual(readRemoteStatus(good), { State: 1, Detail: "x", StdoutSize: 3 });
  for (
    const bad of [{ State: 9 }, { State: "1" }, { Detail: 1 }, { StdoutSize: -1 }, {
      StdoutSize: 0.5,
    }]
  ) {
    assert.throws(() => readRemoteStatus({ ...good, ...bad }), ControlProtocolError);
  }
  assert.throws(() => readRemoteStatus({}), ControlProtocolError);
});

Deno.test("output is here when the unit is complete and no byte is missing", () => {
  const status = (State: UnitState) => ({ State, Detail: "", StdoutSize: 10 });
  assert.equal(isFetched(status(UnitState.Running), 10), false);
  assert.equal(isFetched(status(UnitState.Succeeded), 9), false);
  assert.equal(isFetched(status(UnitState.Succeeded), 10), true);
  assert.equal(isFetched(status(UnitState.Canceled), 11), true);
});

Deno.test("extra data is read back as written, and no secret is in it", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string()), fc.boolean(), (params, signWork) => {
      const made = newRemoteExtraData({
        node: "far",
        workType: "cat",
        tlsClient: "tls",
        signWork,
        params: { ...params, secret_a: "hush", SECRET_B: "hush" },
        expiresAt: NOW,
      });
      assert.ok(!JSON.stringify(made).includes("hush") || JSON.stringify(params).includes("hush"));
      assert.deepEqual(readRemoteExtraData(JSON.parse(JSON.stringify(made))), made);
      assert.equal("SecretParams" in visibleRemoteExtraData(made), false);
      assert.equal(expirationTime(made), NOW);
    }),
  );
});

Deno.test("whatever is on disk as extra data is read without a crash", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const { Expiration, ...members } = visibleRemoteExtraData(readRemoteExtraData(value));
    assert.equal(typeof Expiration, "string");
    assert.equal(typeof members.RemoteUnitID, "string");
    assert.equal(typeof members.RemoteStarted, "boolean");
  }));
});

Deno.test("the date of an expiration is printed as Go prints it", () => {
  const date = new Date(2026, 10, 2, 1, 8, 5);
  assert.equal(formatExpiration(date.getTime()), "Mon Nov 2 01:08:05");
});

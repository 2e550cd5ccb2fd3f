import assert from "node:assert/strict";
import {
  type Holder,
  initialStreamState,
  isOver,
  mayHoldUnread,
  type Reading,
  type Role,
  streamDeadline,
  type StreamState,
  type StreamStateEvent,
  streamTransition,
  type Writing,
} from "../../lib/quic/stream_state.ts";

const events = {
  claimed: { type: "claimed" },
  closed: { type: "closed", deadline: 99 },
  brokenOff: { type: "broken-off", deadline: 99 },
  delivered: { type: "delivered" },
  stopped: { type: "stopped" },
  readToTheEnd: { type: "reading-ended" },
  readNoMore: { type: "reading-stopped" },
  lost: { type: "reading-lost" },
} as const satisfies Record<string, StreamStateEvent>;
type EventName = keyof typeof events;
const eventNames = Object.keys(events) as EventName[];

const holders = {
  none: { phase: "none" },
  user: { phase: "user" },
  closed: { phase: "closed", deadline: 50 },
} as const satisfies Record<Holder["phase"], Holder>;
const readings: Reading[] = ["open", "left", "stopped", "ended"];
const writings: Writing[] = ["open", "delivered", "stopped"];
const roles: Role[] = ["only-dialled", "only-accepted", "one-of-many"];

/** For each event that changes anything: the states that it changes, and to what. */
type Table<Value extends string> = Partial<Record<EventName, Partial<Record<Value, Value>>>>;

function checkTable<Value extends string>(
  table: Table<Value>,
  values: readonly Value[],
  after: (value: Value, event: StreamStateEvent) => Value,
) {
  for (const name of eventNames) {
    for (const value of values) {
      assert.equal(
        after(value, events[name]),
        table[name]?.[value] ?? value,
        `${value} at ${name}`,
      );
    }
  }
}

function allStates(): StreamState[] {
  return Object.values(holders).flatMap((holder) =>
    readings.flatMap((reading) => writings.map((writing) => ({ holder, reading, writing })))
  );
}

Deno.test("a stream is handed out, and closed once", () => {
  checkTable<Holder["phase"]>(
    {
      claimed: { none: "user" },
      closed: { none: "closed", user: "closed" },
      brokenOff: { none: "closed", user: "closed" },
    },
    ["none", "user", "closed"],
    (phase, event) =>
      streamTransition({ ...initialStreamState, holder: holders[phase] }, event).holder.phase,
  );
  const closed = streamTransition(initialStreamState, events.closed);
  assert.equal(streamDeadline(closed), 99);
  assert.equal(
    streamDeadline(streamTransition({ ...closed, holder: holders.closed }, events.closed)),
    50,
    "the first deadline counts",
  );
  assert.equal(streamDeadline(initialStreamState), Infinity);
});

Deno.test("reading ends by us or by the peer, and the peer's end stays known", () => {
  const stopped = { open: "stopped", left: "stopped" } as const;
  checkTable<Reading>(
    {
      readToTheEnd: { open: "ended", left: "ended", stopped: "ended" },
      closed: { open: "left" },
      lost: { open: "left" },
      brokenOff: stopped,
      readNoMore: stopped,
    },
    readings,
    (reading, event) => streamTransition({ ...initialStreamState, reading }, event).reading,
  );
});

Deno.test("writing ends with delivery, or when the peer reads no more, or when we break it off", () => {
  checkTable<Writing>(
    {
      delivered: { open: "delivered" },
      stopped: { open: "stopped", delivered: "stopped" },
      brokenOff: { open: "stopped" },
    },
    writings,
    (writing, event) => streamTransition({ ...initialStreamState, writing }, event).writing,
  );
});

Deno.test("a stream is over when our user closed it and it costs the peer nothing", () => {
  for (const state of allStates()) {
    const { holder, reading, writing } = state;
    const isClosed = holder.phase === "closed";
    const expected: Record<Role, boolean> = {
      "only-dialled": isClosed && reading === "ended" && writing !== "open",
      "only-accepted": isClosed && reading === "ended" && writing === "stopped",
      "one-of-many": isClosed && ["ended", "stopped"].includes(reading) && writing !== "open",
    };
    for (const role of roles) {
      assert.equal(isOver(state, role), expected[role], `${role}: ${JSON.stringify(state)}`);
    }
  }
});

Deno.test("only a stream that somebody has and reads may hold what came", () => {
  for (const state of allStates()) {
    const expected = state.holder.phase !== "none" && state.reading === "open";
    assert.equal(mayHoldUnread(state), expected, JSON.stringify(state));
  }
});

Deno.test("once over, one of many streams stays over, whatever happens", () => {
  for (const state of allStates().filter((state) => isOver(state, "one-of-many"))) {
    for (const name of eventNames) {
      assert.ok(isOver(streamTransition(state, events[name]), "one-of-many"), name);
    }
  }
});

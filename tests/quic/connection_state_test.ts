import assert from "node:assert/strict";
import {
  type ConnectionEvent,
  type ConnectionState,
  deadlineOf,
  decide,
  endOf,
  type Holder,
  initialState,
  type Life,
  type Reading,
  transition,
  type Writing,
} from "../../lib/quic/connection_state.ts";
import { QuicError } from "../../lib/quic/quic_error.ts";

const first = new QuicError("the first end", "closed");
const second = new QuicError("another end", "closed");

const events = {
  connected: { type: "connected" },
  available: { type: "stream-available" },
  lost: { type: "lost", error: second },
  delivered: { type: "delivered" },
  stopped: { type: "stopped" },
  drained: { type: "drained" },
  closed: { type: "closed", error: second },
  abandoned: { type: "abandoned", error: second },
  released: { type: "released" },
  claimed: { type: "stream-claimed" },
  claimFailed: { type: "claim-failed" },
  streamClosed: { type: "stream-closed", lingerUntil: 99 },
  readToTheEnd: { type: "reading-ended", byPeer: true },
  readNoMore: { type: "reading-ended", byPeer: false },
} as const satisfies Record<string, ConnectionEvent>;
type EventName = keyof typeof events;
const eventNames = Object.keys(events) as EventName[];

const lives = {
  handshaking: { phase: "handshaking", deadline: 15 },
  established: { phase: "established" },
  lingering: { phase: "lingering", deadline: 50 },
  closing: { phase: "closing", error: first },
  drained: { phase: "drained", error: first },
  released: { phase: "released", error: first },
} as const satisfies Record<Life["phase"], Life>;
const phases = Object.keys(lives) as Life["phase"][];
const holders: Holder[] = ["none", "user", "closed"];
const readings: Reading[] = ["awaited", "open", "left", "ended"];
const writings: Writing[] = ["open", "delivered", "stopped"];

const ordinary: ConnectionState = {
  dialled: true,
  life: lives.established,
  holder: "user",
  reading: "open",
  writing: "open",
};

/** For each event that changes anything: the state after it, for each state before. */
type Table<State extends string> = Partial<Record<EventName, Record<State, State>>>;

function checkTable<State extends string>(
  table: Table<State>,
  states: readonly State[],
  after: (state: State, event: ConnectionEvent) => string,
) {
  for (const name of eventNames) {
    for (const state of states) {
      const expected = table[name]?.[state] ?? state;
      assert.equal(after(state, events[name]), expected, `${state} at ${name}`);
    }
  }
}

Deno.test("the life of a connection goes one way", () => {
  const ends = {
    handshaking: "closing",
    established: "closing",
    lingering: "closing",
    closing: "closing",
    drained: "drained",
    released: "released",
  } as const;
  const drains = {
    handshaking: "drained",
    established: "drained",
    lingering: "drained",
    closing: "drained",
    drained: "drained",
    released: "released",
  } as const;
  const same = Object.fromEntries(phases.map((phase) => [phase, phase])) as Record<
    Life["phase"],
    Life["phase"]
  >;
  checkTable<Life["phase"]>(
    {
      connected: { ...same, handshaking: "established" },
      streamClosed: { ...same, established: "lingering" },
      lost: ends,
      closed: ends,
      drained: drains,
      abandoned: drains,
      released: { ...same, drained: "released" },
    },
    phases,
    (phase, event) => transition({ ...ordinary, life: lives[phase] }, event).life.phase,
  );
});

Deno.test("the stream is handed out once, unless it did not come", () => {
  checkTable<Holder>(
    {
      claimed: { none: "user", user: "user", closed: "closed" },
      claimFailed: { none: "none", user: "none", closed: "closed" },
      streamClosed: { none: "closed", user: "closed", closed: "closed" },
    },
    holders,
    (holder, event) => transition({ ...ordinary, holder }, event).holder,
  );
});

Deno.test("reading ends by us or by the peer, and the peer's end stays known", () => {
  const left = { awaited: "left", open: "left", left: "left", ended: "ended" } as const;
  checkTable<Reading>(
    {
      available: { awaited: "open", open: "open", left: "left", ended: "ended" },
      closed: left,
      abandoned: left,
      streamClosed: left,
      readNoMore: left,
      readToTheEnd: { awaited: "ended", open: "ended", left: "ended", ended: "ended" },
    },
    readings,
    (reading, event) => transition({ ...ordinary, reading }, event).reading,
  );
});

Deno.test("writing ends with delivery, or when the peer reads no more", () => {
  checkTable<Writing>(
    {
      delivered: { open: "delivered", delivered: "delivered", stopped: "stopped" },
      stopped: { open: "stopped", delivered: "stopped", stopped: "stopped" },
    },
    writings,
    (writing, event) => transition({ ...ordinary, writing }, event).writing,
  );
});

Deno.test("the first ending is the one that is reported", () => {
  for (const name of ["lost", "closed", "abandoned"] as const) {
    for (const phase of ["handshaking", "established", "lingering"] as const) {
      const state = transition({ ...ordinary, life: lives[phase] }, events[name]);
      assert.equal(endOf(state), second);
    }
    for (const phase of ["closing", "drained", "released"] as const) {
      const state = transition({ ...ordinary, life: lives[phase] }, events[name]);
      assert.equal(endOf(state), first);
    }
  }
  assert.equal(endOf(ordinary), undefined);
});

Deno.test("only a handshake and lingering have a deadline", () => {
  const deadlines = phases.map((phase) => deadlineOf({ ...ordinary, life: lives[phase] }));
  assert.deepEqual(deadlines, [15, Infinity, 50, Infinity, Infinity, Infinity]);
  assert.equal(deadlineOf(transition(ordinary, events.streamClosed)), 99);
  assert.equal(deadlineOf(initialState(true, 7)), 7);
});

Deno.test("a connection closes by itself only when that costs the peer nothing", () => {
  for (const phase of phases) {
    for (const holder of holders) {
      for (const reading of readings) {
        for (const writing of writings) {
          for (const dialled of [true, false]) {
            const state = { dialled, life: lives[phase], holder, reading, writing };
            const alive = phase === "established" || phase === "lingering";
            const done = dialled ? writing !== "open" : writing === "stopped";
            const closes = alive && holder === "closed" && reading === "ended" && done;
            const unread = holder !== "none" && (reading === "awaited" || reading === "open");
            const releases = phase === "drained" && !unread;
            const expected = closes ? "close" : releases ? "release" : undefined;
            assert.equal(decide(state), expected, JSON.stringify(state));
          }
        }
      }
    }
  }
});

Deno.test("every path through the states ends in release, and nothing follows it", () => {
  const key = (state: ConnectionState) => JSON.stringify({ ...state, life: state.life.phase });
  for (const dialled of [true, false]) {
    const reached = new Map<string, ConnectionState>();
    const queue = [initialState(dialled, 15)];
    for (let state; (state = queue.pop()) !== undefined;) {
      if (reached.has(key(state))) continue;
      reached.set(key(state), state);
      for (const name of eventNames) queue.push(transition(state, events[name]));
    }
    assert.ok(reached.size > 50, `${reached.size} states`);
    for (const state of reached.values()) {
      // The core always gets there, by a timeout if nothing else.
      const drained = transition(transition(state, events.lost), events.drained);
      if (state.life.phase === "released") {
        assert.equal(decide(state), undefined);
        for (const name of eventNames) {
          assert.equal(transition(state, events[name]).life.phase, "released");
        }
      } else {
        const read = transition(drained, events.readNoMore);
        assert.equal(decide(read), "release", key(state));
      }
    }
  }
});

import assert from "node:assert/strict";
import {
  type ConnectionEvent,
  type ConnectionState,
  deadlineOf,
  endOf,
  transition,
} from "../../lib/quic/connection_state.ts";
import { QuicError } from "../../lib/quic/quic_error.ts";

const first = new QuicError("the first end", "closed");
const second = new QuicError("another end", "closed");

const events = {
  connected: { type: "connected" },
  lost: { type: "lost", error: second },
  drained: { type: "drained" },
  closed: { type: "closed", error: second },
  abandoned: { type: "abandoned", error: second },
  released: { type: "released" },
} as const satisfies Record<string, ConnectionEvent>;
type EventName = keyof typeof events;

const states = {
  handshaking: { phase: "handshaking", deadline: 15 },
  established: { phase: "established" },
  closing: { phase: "closing", error: first },
  drained: { phase: "drained", error: first },
  released: { phase: "released", error: first },
} as const satisfies Record<ConnectionState["phase"], ConnectionState>;
type Phase = ConnectionState["phase"];
const phases = Object.keys(states) as Phase[];

Deno.test("the life of a connection goes one way", () => {
  const ends = { handshaking: "closing", established: "closing" } as const;
  const drains = { handshaking: "drained", established: "drained", closing: "drained" } as const;
  const table: Record<EventName, Partial<Record<Phase, Phase>>> = {
    connected: { handshaking: "established" },
    lost: ends,
    closed: ends,
    drained: drains,
    abandoned: drains,
    released: { drained: "released" },
  };
  for (const [name, event] of Object.entries(events)) {
    for (const phase of phases) {
      const expected = table[name as EventName][phase] ?? phase;
      assert.equal(transition(states[phase], event).phase, expected, `${phase} at ${name}`);
    }
  }
});

Deno.test("the first end is the one that is told", () => {
  for (const name of ["lost", "closed", "abandoned"] as const) {
    for (const phase of ["handshaking", "established"] as const) {
      assert.equal(endOf(transition(states[phase], events[name])), second);
    }
    for (const phase of ["closing", "drained", "released"] as const) {
      assert.equal(endOf(transition(states[phase], events[name])), first);
    }
  }
  assert.equal(endOf(states.established), undefined);
});

Deno.test("only a handshake has a deadline", () => {
  const deadlines = phases.map((phase) => deadlineOf(states[phase]));
  assert.deepEqual(deadlines, [15, Infinity, Infinity, Infinity, Infinity]);
});

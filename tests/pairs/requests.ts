/** What clients ask for: how each request starts, what counts as its middle, and how it ends. */
import { ControlRefusal, ControlSession } from "../support/control_session.ts";
import { eventually } from "../support/eventually.ts";
import type { UnitStatus } from "../support/test_node.ts";
import { isUnknownUnit, NOWHERE, type TrackedUnit } from "./tracked_unit.ts";

/** Something under way. */
export interface Begun {
  /** Resolves when it has started and not ended. */
  readonly middle: Promise<void>;
  /** Completes it, whatever was broken in the meantime. */
  end(): Promise<void>;
}

export interface Request {
  readonly name: string;
  /** Whether it makes the unit that it is about; the others want one whose job runs. */
  readonly makesUnit: boolean;
  begin(unit: TrackedUnit, target: string): Begun;
}

const COMPLETE = ["Succeeded", "Failed", "Canceled"];

/** Replies that a repeated question gets before it ends. */
const LAST_REPLIES = 2;

export const requests: readonly Request[] = [
  { name: "submit", makesUnit: true, begin: beginSubmit },
  { name: "start", makesUnit: true, begin: beginStart },
  { name: "list", makesUnit: false, begin: (unit) => beginAsking(unit, "work list") },
  {
    name: "status",
    makesUnit: false,
    begin: (unit) => beginAsking(unit, `work status ${unit.id}`),
  },
  { name: "results", makesUnit: false, begin: beginResults },
  { name: "cancel", makesUnit: false, begin: (unit) => beginWish(unit, "cancel") },
  { name: "release", makesUnit: false, begin: (unit) => beginWish(unit, "release") },
  { name: "ttl", makesUnit: true, begin: beginTtl },
];

/** Middle: the unit is created and has half of its payload. */
function beginSubmit(unit: TrackedUnit, target: string): Begun {
  const middle = Promise.withResolvers<void>();
  const mayGoOn = Promise.withResolvers<void>();
  const submitting = submit();
  submitting.catch(() => {});
  return {
    middle: middle.promise,
    async end() {
      mayGoOn.resolve();
      await submitting;
    },
  };

  async function submit(): Promise<void> {
    await using session = await reach(unit);
    try {
      await session.command(unit.submission(target));
      unit.submitted = "created";
      const { payload } = unit;
      await session.write(payload.subarray(0, payload.length / 2));
      middle.resolve();
      await mayGoOn.promise;
      await session.write(payload.subarray(payload.length / 2));
      await session.closeWrite();
      await unit.takeReply(session);
    } catch (error) {
      // Else the daemon went away: what became of the unit is what the client asks next.
      if (error instanceof ControlRefusal) unit.observeRefusal("submit", error);
    } finally {
      middle.resolve();
    }
  }
}

/** Middle: the payload is on its way to the node that is to run it, or the job is being started. */
function beginStart(unit: TrackedUnit, target: string): Begun {
  const submitting = beginSubmit(unit, target);
  const over = new AbortController();
  const submitted = submitting.middle.then(() => submitting.end()).finally(() => over.abort());
  const arrived = target === NOWHERE ? submitted : unit.arrival(over.signal);
  return { middle: arrived, end: () => submitted };
}

/** Middle: as that of `start`, or the unit waits for a way to where it is to run. */
function beginTtl(unit: TrackedUnit, target: string): Begun {
  unit.ttlSeconds = 1;
  return beginStart(unit, target);
}

/** The same question again and again. Middle: it was answered once and is asked once more. */
function beginAsking(unit: TrackedUnit, line: string): Begun {
  const middle = Promise.withResolvers<void>();
  let repliesLeft = Infinity;
  const asking = ask();
  asking.catch(() => {});
  return {
    middle: middle.promise,
    async end() {
      repliesLeft = LAST_REPLIES;
      await asking;
    },
  };

  async function ask(): Promise<void> {
    while (repliesLeft > 0) {
      await using session = await reach(unit);
      try {
        for (; repliesLeft > 0; repliesLeft--) {
          const askedAt = performance.now();
          const reply = await session.json(line);
          const shown = line === "work list" ? reply[unit.id] : reply;
          if (shown !== undefined) unit.observe(shown as UnitStatus, { askedAt });
          else unit.observeLoss();
          middle.resolve();
        }
      } catch (error) {
        middle.resolve();
        if (isUnknownUnit(error)) return unit.observeLoss();
        if (error instanceof ControlRefusal) return unit.observeRefusal(line, error);
        // The daemon went away: the client asks its next life.
      }
    }
  }
}

/** Middle: the first bytes are here. */
function beginResults(unit: TrackedUnit): Begun {
  const middle = Promise.withResolvers<void>();
  const following = follow();
  following.catch(() => {});
  return {
    middle: middle.promise,
    async end() {
      unit.letGo();
      await following;
    },
  };

  async function follow(): Promise<void> {
    let size = 0;
    while (true) {
      const results = await openResults(unit, size);
      if (results === undefined) break;
      const { pid } = unit.near;
      try {
        for (let bytes; (bytes = await results.readSome()) !== null;) {
          unit.observeOutput(size, bytes);
          size += bytes.length;
          middle.resolve();
        }
      } catch {
        // The daemon went away.
      } finally {
        results.close();
      }
      const status = await eventually(async () => {
        return unit.signal.aborted ? "unknown" : await unit.status() ?? "unknown";
      }, {
        what: `the status of ${unit.id} after its results`,
      });
      if (status === "unknown") break;
      if (COMPLETE.includes(status.StateName) && size >= status.StdoutSize) break;
      // The end of the stream is how a client learns that the unit is complete.
      if (pid === unit.near.pid && !unit.mesh.wasStopped(unit.near)) {
        return unit.observeEarlyEnd(size, status);
      }
    }
    middle.resolve();
  }
}

/** Of any life of the node; `undefined` when it does not know the unit. */
function openResults(unit: TrackedUnit, position: number): Promise<ControlSession | undefined> {
  return eventually(async () => {
    if (unit.signal.aborted) return { session: undefined };
    try {
      return { session: await unit.near.results(unit.id, position) };
    } catch (error) {
      if (isUnknownUnit(error)) return { session: undefined };
      throw error;
    }
  }, { what: `results of ${unit.id}` }).then(({ session }) => session);
}

/** Middle: the command is sent, and its reply was not read. */
function beginWish(unit: TrackedUnit, wish: "cancel" | "release"): Begun {
  const middle = Promise.withResolvers<void>();
  if (wish === "cancel") unit.cancelAsked = true;
  else unit.releaseAsked = true;
  const asking = ask();
  asking.catch(() => {});
  return { middle: middle.promise, end: () => asking };

  async function ask(): Promise<void> {
    while (true) {
      await using session = await reach(unit);
      try {
        await session.send(`work ${wish} ${unit.id}`);
        middle.resolve();
        const reply = await session.readLine();
        if (reply !== null) return unit.observeReply(wish, reply);
      } catch {
        // The daemon went away before it answered.
      }
    }
  }
}

/** A session with the node, or with its next life. */
async function reach({ near, signal }: TrackedUnit): Promise<ControlSession> {
  const session = await eventually(
    async () => signal.aborted ? "given up" : await ControlSession.open(near.address),
    { what: `an answer of ${near.id}` },
  );
  if (session === "given up") throw signal.reason;
  return session;
}

import { equal } from "node:assert/strict";
import type { Session } from "../../lib/backends/backend.ts";
import { silentLog } from "../../lib/base/log.ts";
import { BusyTurns } from "../../lib/netceptor/busy_turns.ts";
import { DropLog } from "../../lib/netceptor/drop_log.ts";
import { Link, type LinkHost } from "../../lib/netceptor/link.ts";
import { MAX_BUSY_MS } from "../../lib/netceptor/limits.ts";
import { DEFAULT_POLICY } from "../sim/sim_mesh.ts";
import { settle, VirtualClock } from "../sim/virtual_clock.ts";

/** Turns of which all are taken, until `go` resolves. */
class NoTurns extends BusyTurns {
  readonly go = Promise.withResolvers<void>();

  override next(): Promise<void> {
    return this.go.promise;
  }
}

Deno.test("a link that waits for its turn is not idle", async () => {
  const clock = new VirtualClock();
  const turns = new NoTurns();
  turns.spend(MAX_BUSY_MS);
  const over = Promise.withResolvers<null>();
  const batches = [Promise.resolve([new Uint8Array([99])]), over.promise];
  const session: Session = {
    description: "test",
    receive: () => batches.shift()!,
    send: () => Promise.resolve(),
    close: () => over.resolve(null),
  };
  const host = { selfId: "foo", introduce: () => new Uint8Array(1) } as unknown as LinkHost;
  const drops = new DropLog({ log: silentLog, clock, observer: { dropped() {}, limitHit() {} } });
  const link = new Link({ log: silentLog, clock, drops, host, turns }, session, DEFAULT_POLICY);
  const running = link.run();
  await settle();
  await clock.advance(5_000);
  equal(link.idleMs, 0, "it has messages to handle");
  turns.go.resolve();
  await settle();
  await clock.advance(3_000);
  equal(link.idleMs, 3_000);
  link.close();
  await running;
});

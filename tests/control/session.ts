/** One client of an in-process `ControlServer`, over memory. */
import type { ControlDeps } from "../../lib/control/command.ts";
import { ControlServer } from "../../lib/control/server.ts";
import type { Caller } from "../../lib/control/work_service.ts";
import { fakeDeps } from "./fakes.ts";
import { bytes, MemoryConn, readText } from "./memory_conn.ts";
import { writeAll } from "../../lib/base/byte_conn.ts";

export const localCaller: Caller = { via: "unix", secure: false, description: "unix" };

/** A connected client; `served` resolves when the server is done with it. */
export function connectClient(
  replaced: Partial<ControlDeps> = {},
  caller: Caller = localCaller,
): { conn: MemoryConn; served: Promise<void>; stop: AbortController } {
  const [conn, serverEnd] = MemoryConn.pair();
  const stop = new AbortController();
  const served = new ControlServer(fakeDeps(replaced)).serve(serverEnd, caller, stop.signal);
  return { conn, served, stop };
}

/** Sends `input`, half-closes, and returns everything that the server says after its greeting. */
export async function exchange(
  input: string | Uint8Array,
  replaced: Partial<ControlDeps> = {},
  caller: Caller = localCaller,
): Promise<string> {
  const { conn, served } = connectClient(replaced, caller);
  const sent = writeAll(conn, typeof input === "string" ? bytes(input) : input)
    .then(() => conn.closeWrite());
  const reply = await readText(conn);
  await sent;
  await served;
  conn.close();
  return reply.slice(reply.indexOf("\n") + 1);
}

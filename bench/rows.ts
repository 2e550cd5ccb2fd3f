/** The rows of the scoreboard, in the order of the table. */
import type { Row, Scale } from "./row.ts";
import { awayNode } from "./rows/away_node.ts";
import { burst } from "./rows/burst.ts";
import { ip } from "./rows/ip.ts";
import { leftoverUnits } from "./rows/leftover_units.ts";
import { localSubmits } from "./rows/local_submits.ts";
import { memory } from "./rows/memory.ts";
import { payload } from "./rows/payload.ts";
import { pingIdle } from "./rows/ping_idle.ts";
import { readers } from "./rows/readers.ts";
import { remoteEcho } from "./rows/remote_echo.ts";
import { remoteJobs } from "./rows/remote_jobs.ts";
import { results } from "./rows/results.ts";
import { start } from "./rows/start.ts";
import { tcpProxy } from "./rows/tcp_proxy.ts";
import { tlsSubmits } from "./rows/tls_submits.ts";
import { underLoad } from "./rows/under_load.ts";
import { workList } from "./rows/work_list.ts";

const ROWS: readonly ((scale: Scale) => Row)[] = [
  remoteEcho,
  remoteJobs,
  localSubmits,
  results(1),
  results(3),
  payload,
  readers(20),
  readers(100),
  pingIdle,
  underLoad,
  workList(308),
  workList(5000),
  leftoverUnits,
  awayNode,
  burst(200, { tls: false }),
  burst(200, { tls: true }),
  burst(50, { tls: true }),
  tlsSubmits,
  tcpProxy(1),
  tcpProxy(2),
  ip,
  memory,
  start,
];

/** All rows that this machine can do, or those named; throws a `RangeError` that lists the names if one is unknown. */
export function selectRows(scale: Scale, only: readonly string[]): Row[] {
  const rows = ROWS.map((row) => row(scale));
  const names = rows.map(({ name }) => name);
  const unknown = only.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new RangeError(`There is no row ${unknown}; the rows are ${names.join(", ")}`);
  }
  return only.length === 0
    ? rows.filter(({ missing }) => !missing)
    : rows.filter(({ name }) => only.includes(name));
}

/** `receptorctl ping`: round trips to a node, one after the other. */
import { sleep, systemClock } from "../../base/clock.ts";
import type { Ctl } from "../ctl.ts";
import { ExitCode } from "../ctl_error.ts";

interface PingOptions {
  node: string;
  count: number;
  /** Seconds. */
  delay: number;
  json: boolean;
}

export async function ping(ctl: Ctl, options: PingOptions): Promise<number> {
  const { node, terminal, signal } = ctl;
  let failed = false;
  for (let sent = 0; sent < options.count; sent++) {
    if (sent > 0) await sleep(systemClock, options.delay * 1000, { signal });
    const reply = await node.command(`ping ${options.node}`);
    if (reply.Success !== true) failed = true;
    if (options.json) await terminal.print(JSON.stringify(reply));
    else if (reply.Success === true) {
      await terminal.print(`Reply from ${reply.From} in ${reply.TimeStr}`);
    } else await terminal.error(failure(reply));
  }
  return failed ? ExitCode.PingFailed : 0;
}

function failure({ Error: problem, From: from, TimeStr: time }: Record<string, unknown>): string {
  return from === undefined || time === undefined
    ? String(problem)
    : `${problem} from ${from} in ${time}`;
}

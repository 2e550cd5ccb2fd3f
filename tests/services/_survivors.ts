/** A shell script that starts what tries to outlive its terminal. */
import assert from "node:assert/strict";
import { isRunning } from "../support/processes.ts";

/** Prints a process id for each of them, in any order. */
export const SURVIVORS = `
trap '' HUP TERM INT
sleep 1000 & echo $!
nohup sleep 1001 >/dev/null 2>&1 & echo $!
setsid sh -c 'echo $$; exec sleep 1002' &
(env -i setsid sh -c 'echo $$; exec sleep 1003 >/dev/null 2>&1' </dev/null &)
`;

/** What a screen shows when all of them run; a shell's prompt may come in between. */
export const ALL_SURVIVORS = /(?:(?:^|prompt> )\d+\r?\n[^]*?){4}/m;

/** The process ids in what the script has printed. */
export function survivorsIn(text: string): number[] {
  const pids = [...text.matchAll(/(?:^|prompt> )(\d+)\r?$/gm)].map(([, pid]) => Number(pid));
  assert.equal(pids.length, 4, text);
  assert.equal(pids.every(isRunning), true, text);
  return pids;
}

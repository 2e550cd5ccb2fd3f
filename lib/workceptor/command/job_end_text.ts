/** A job's end in the original's words (those of Go's `os.ProcessState`). */
import { UnitState } from "../../control/work_service.ts";
import type { JobOutcome } from "./job.ts";
import type { JobEnd } from "./supervisor_files.ts";

const SIGNAL_NAMES: Record<number, string> = {
  1: "hangup",
  2: "interrupt",
  3: "quit",
  4: "illegal instruction",
  5: "trace/breakpoint trap",
  6: "aborted",
  7: "bus error",
  8: "floating point exception",
  9: "killed",
  10: "user defined signal 1",
  11: "segmentation fault",
  12: "user defined signal 2",
  13: "broken pipe",
  14: "alarm clock",
  15: "terminated",
};

/** The outcome of a job that ended like this; `lost` is the detail for a lost one. */
export function describeJobEnd(end: JobEnd, lost: string): JobOutcome {
  return { ...stateAndDetail(end, lost), unseen: end.kind === "lost" };
}

function stateAndDetail(end: JobEnd, lost: string): Omit<JobOutcome, "unseen"> {
  switch (end.kind) {
    case "exited":
      return {
        State: end.status === 0 ? UnitState.Succeeded : UnitState.Failed,
        Detail: `exit status ${end.status}`,
      };
    case "signaled": {
      const name = SIGNAL_NAMES[end.signal] ?? `signal ${end.signal}`;
      const dump = end.coreDumped ? " (core dumped)" : "";
      return { State: UnitState.Failed, Detail: `signal: ${name}${dump}` };
    }
    case "not run":
      return { State: UnitState.Failed, Detail: end.problem };
    case "taken":
      return { State: UnitState.Failed, Detail: "the unit was started before" };
    case "lost":
      return { State: UnitState.Failed, Detail: lost };
  }
}

/** `work`: everything about units of work, by subcommand. */
import type { CommandRun, CommandType, Fields } from "../command.ts";
import { ControlError } from "../control_error.ts";
import { stringMember } from "../json_fields.ts";
import { refusals } from "../texts.ts";
import type { WorkService } from "../work_service.ts";
import { cutWord } from "../words.ts";
import { workCancel } from "./work_cancel.ts";
import { workList } from "./work_list.ts";
import { workRelease } from "./work_release.ts";
import { workResults } from "./work_results.ts";
import { workStatus } from "./work_status.ts";
import { workSubmit } from "./work_submit.ts";
import type { WorkSubcommand } from "./work_subcommand.ts";

/** The command for a node that keeps units of work. */
export function workCommand(work: WorkService): CommandType {
  const subcommands = new Map<string, WorkSubcommand>([
    ["submit", workSubmit(work)],
    ["list", workList(work)],
    ["status", workStatus(work)],
    ["cancel", workCancel(work)],
    ["release", workRelease(work, { force: false })],
    ["force-release", workRelease(work, { force: true })],
    ["results", workResults(work)],
  ]);
  const find = (name: string): WorkSubcommand => {
    const subcommand = subcommands.get(name.toLowerCase());
    if (subcommand === undefined) throw new ControlError(refusals.badWorkCommand);
    return subcommand;
  };
  return {
    fromWords(words): CommandRun {
      const [name, rest] = cutWord(words);
      return find(name).fromWords(rest);
    },
    fromFields(fields: Fields): CommandRun {
      return find(stringMember(fields, "subcommand")).fromFields(fields);
    },
  };
}

/** What the subcommands of `work` have in common. */
import type { CommandRun, Fields } from "../command.ts";
import { ControlError } from "../control_error.ts";
import { refusals } from "../texts.ts";

export interface WorkSubcommand {
  /** From the words behind the subcommand; two blanks in a row hold an empty word. */
  fromWords(words: readonly string[]): CommandRun;
  fromFields(fields: Fields): CommandRun;
}

/** The one word that status, cancel and release take. */
export function onlyUnitId(subcommand: string, words: readonly string[]): string {
  const [unitId, ...rest] = words;
  if (unitId === undefined) throw new ControlError(refusals.unitIdMissing(subcommand));
  if (rest.length > 0) throw new ControlError(refusals.wordsAfterUnitId(subcommand));
  return unitId;
}

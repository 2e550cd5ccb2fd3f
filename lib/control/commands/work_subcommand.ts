/** What the subcommands of `work` have in common. */
import type { CommandRun, Fields } from "../command.ts";
import { ControlError } from "../control_error.ts";
import { refusals } from "../texts.ts";
import { cutWord } from "../words.ts";

export interface WorkSubcommand {
  /** From the text after the subcommand and its blank, `undefined` if there is no blank. */
  fromWords(words: string | undefined): CommandRun;
  fromFields(fields: Fields): CommandRun;
}

/** The one word that status, cancel and release take. */
export function onlyUnitId(subcommand: string, words: string | undefined): string {
  if (words === undefined) throw new ControlError(refusals.unitIdMissing(subcommand));
  const [unitId, rest] = cutWord(words);
  if (rest !== undefined) throw new ControlError(refusals.wordsAfterUnitId(subcommand));
  return unitId;
}

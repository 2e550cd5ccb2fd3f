/** What a reload may change: pure comparison of two configurations. */
import type { ActionSpec, Configured } from "../config/action.ts";
import { type Config, sameAction } from "../config/config.ts";
import { ReloadError, ReloadErrorCode } from "../control/reload_error.ts";

/**
 * Throws a `ReloadError` if `after` differs from `before` in an action that needs a restart. Values
 * are compared, not text: how a file is written does not matter.
 */
export function checkReloadable(before: Config, after: Config): void {
  const [added] = fixedActions(after).filter(missingIn(before));
  if (added) throw needsRestart(added, "modified or added", "these changes");
  const [removed] = fixedActions(before).filter(missingIn(after));
  if (removed) throw needsRestart(removed, "removed", "changes");
}

/** In the original's words, which depend on what happened. */
function needsRestart(
  { action }: Configured<ActionSpec>,
  happened: string,
  what: string,
): ReloadError {
  return new ReloadError(
    `a non-reloadable config action '${action.name}' was ${happened}. ` +
      `Must restart receptor for ${what} to take effect`,
    ReloadErrorCode.NotReloadable,
  );
}

function fixedActions(config: Config): Configured<ActionSpec>[] {
  return config.actions.filter(({ action }) => !action.reloadable);
}

function missingIn(config: Config): (wanted: Configured<ActionSpec>) => boolean {
  return (wanted) => !config.actions.some((candidate) => sameAction(candidate, wanted));
}

/** What a reload may change: pure comparison of two configurations. */
import type { ActionSpec, Configured } from "../config/action.ts";
import { type Config, sameAction } from "../config/config.ts";
import { ReloadError, ReloadErrorCode } from "../control/reload_error.ts";

/**
 * Throws a `ReloadError` when `after` differs from `before` in an action that only a restart can
 * take in. Values are compared, not text: how a file is written does not count.
 */
export function checkReloadable(before: Config, after: Config): void {
  const restart = (action: string, change: string) =>
    new ReloadError(
      `a non-reloadable config action '${action}' was ${change}. ` +
        "Must restart receptor for these changes to take effect",
      ReloadErrorCode.NotReloadable,
    );
  const [added] = fixedActions(after).filter(missingIn(before));
  if (added) throw restart(added.action.name, "modified or added");
  const [removed] = fixedActions(before).filter(missingIn(after));
  if (removed) throw restart(removed.action.name, "removed");
}

function fixedActions(config: Config): Configured<ActionSpec>[] {
  return config.actions.filter(({ action }) => !action.reloadable);
}

function missingIn(config: Config): (wanted: Configured<ActionSpec>) => boolean {
  return (wanted) => !config.actions.some((candidate) => sameAction(candidate, wanted));
}

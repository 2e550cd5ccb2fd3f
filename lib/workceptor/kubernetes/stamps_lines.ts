/** Which servers stamp each line of a log once, as `LogCursor` expects. */
import type { KubeApi } from "./api/kube_api.ts";

/**
 * Kubelets stamped each piece of a long line, as if it were a line of its own, until this patch
 * release of these minor releases of version 1, and in all before them.
 */
const FIRST_PATCH = new Map([[23, 14], [24, 8], [25, 4]]);
const LAST_UNPATCHED_MINOR = 22;

export async function stampsLines(api: KubeApi, signal: AbortSignal): Promise<boolean> {
  return versionStampsLines(await api.serverVersion(signal));
}

/** As the original decides, by a version such as `v1.30.14`; false if it is none. */
export function versionStampsLines(version: string): boolean {
  const [, major, minor, patch] = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  if (major === undefined) return false;
  if (Number(major) > 1) return true;
  if (Number(minor) <= LAST_UNPATCHED_MINOR) return false;
  return Number(patch) >= (FIRST_PATCH.get(Number(minor)) ?? 0);
}

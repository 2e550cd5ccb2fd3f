/** Facts of this machine for `status`. */
import type { SystemInfo } from "./command.ts";

const BYTES_PER_MIB = 1024 * 1024;

/** Asks the system once; `version` is what other nodes and receptorctl compare with theirs. */
export function readSystemInfo(version: string): SystemInfo {
  return {
    version,
    cpuCount: navigator.hardwareConcurrency,
    memoryMiB: Math.floor(Deno.systemMemoryInfo().total / BYTES_PER_MIB),
  };
}

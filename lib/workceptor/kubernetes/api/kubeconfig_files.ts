/** Finds and reads kubeconfig files as kubectl does. */
import { join } from "node:path";
import type { Environment } from "../../../base/default_socket.ts";
import { fileReasonOf } from "../../../base/error_message.ts";
import {
  currentContext,
  type Kubeconfig,
  type KubeContext,
  mergeKubeconfigs,
  parseKubeconfig,
} from "./kubeconfig.ts";

/** A kubeconfig is a few kilobytes; this is for those with hundreds of clusters. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * The current context of the file at `path`, or without one of the files that KUBECONFIG names,
 * separated by colons, or of `~/.kube/config`. Throws an `Error` that names the file.
 */
export async function loadKubeconfig(
  path: string | undefined,
  environment: Environment,
): Promise<KubeContext> {
  if (path) return currentContext(await read(path), path);
  const listed = [...new Set((environment("KUBECONFIG") ?? "").split(":"))].filter((file) => file);
  const files = listed.length > 0 ? listed : [join(environment("HOME") ?? "/", ".kube", "config")];
  const configs: Kubeconfig[] = [];
  for (const file of files) {
    try {
      configs.push(await read(file));
    } catch (error) {
      // KUBECONFIG may name files that do not exist yet.
      if (!(error instanceof Error && error.cause instanceof Deno.errors.NotFound)) throw error;
    }
  }
  const source = files.join(":");
  if (configs.length === 0) throw new Error(`no kubeconfig: ${source} does not exist`);
  return currentContext(mergeKubeconfigs(configs), source);
}

async function read(path: string): Promise<Kubeconfig> {
  let text: string;
  try {
    const { size } = await Deno.stat(path);
    if (size > MAX_BYTES) throw new RangeError(`${size} bytes are too many for a kubeconfig`);
    text = await Deno.readTextFile(path);
  } catch (cause) {
    throw new Error(`cannot read kubeconfig ${path}: ${fileReasonOf(cause)}`, { cause });
  }
  return await parseKubeconfig({ text, source: path, trusted: true });
}

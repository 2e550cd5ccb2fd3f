/**
 * What a node remembers of its pods beside its units: who it is to the cluster, and which pods have
 * to go. A folder next to the units' own:
 *
 *     owner           a random name, so that no other node's pods are taken for ours
 *     <unit label>    a pod to be deleted, although its unit may be gone
 */
import { replaceFile } from "../../base/durable_file.ts";
import { makeTrustedFolder, readOwnTextFile } from "../../base/trusted_path.ts";
import type { KubeSource } from "./api/kube_source.ts";

/** A pod to be deleted. */
export interface DoomedPod {
  readonly unitLabel: string;
  readonly namespace: string;
  /** Undefined if the server's answer to its creation was not awaited. */
  readonly name: string | undefined;
  readonly source: KubeSource;
}

const OWNER_FILE = "owner";
const SUFFIX = ".pod";

export class PodsFolder {
  readonly #path: string;
  #owner: Promise<string> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** A label value that stands for this node's data folder. */
  owner(): Promise<string> {
    this.#owner ??= this.#readOwner();
    this.#owner.catch(() => this.#owner = undefined);
    return this.#owner;
  }

  /** Resolves when it is on the disk. */
  async doom(pod: DoomedPod): Promise<void> {
    await makeTrustedFolder(this.#path);
    await replaceFile(this.#fileOf(pod), JSON.stringify(pod));
  }

  /** The pod is gone. */
  async forget(pod: DoomedPod): Promise<void> {
    await Deno.remove(this.#fileOf(pod)).catch(() => {});
  }

  /** What earlier daemons have left to do. */
  async doomed(): Promise<DoomedPod[]> {
    const pods: DoomedPod[] = [];
    try {
      for await (const { name } of Deno.readDir(this.#path)) {
        if (!name.endsWith(SUFFIX)) continue;
        const text = await readOwnTextFile(`${this.#path}/${name}`).catch(() => "null");
        const pod = parsed(text);
        if (pod !== undefined) pods.push(pod);
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return pods;
  }

  #fileOf({ unitLabel }: DoomedPod): string {
    return `${this.#path}/${unitLabel}${SUFFIX}`;
  }

  async #readOwner(): Promise<string> {
    const path = `${this.#path}/${OWNER_FILE}`;
    try {
      const text = (await readOwnTextFile(path)).trim();
      if (/^[0-9a-f-]{36}$/.test(text)) return text;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    await makeTrustedFolder(this.#path);
    const owner = crypto.randomUUID();
    await replaceFile(path, owner + "\n");
    return owner;
  }
}

function parsed(text: string): DoomedPod | undefined {
  try {
    const pod = JSON.parse(text) as DoomedPod | null;
    return typeof pod?.unitLabel === "string" && typeof pod.namespace === "string"
      ? pod
      : undefined;
  } catch {
    return undefined;
  }
}

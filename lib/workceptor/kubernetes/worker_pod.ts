/** The pod of a unit, as it is asked of the API server. */
import type { Container, EnvVar } from "kubernetes-types/core/v1";
import { splitWords } from "../command/shell_words.ts";
import type { Pod } from "./api/kube_api.ts";
import type { KubeExtraData } from "./kube_record.ts";
import { WORKER } from "./pod_state.ts";

/** Labels by which a later daemon finds its pods. The original sets none. */
export const OWNER_LABEL = "receptor.ansible.com/owner";
export const UNIT_LABEL = "receptor.ansible.com/unit";

export interface WorkerPodOptions {
  /** In front of the name that the server makes up; a pod's own name goes before it. */
  readonly namePrefix: string;
  readonly labels: Readonly<Record<string, string>>;
  /** For the worker, besides its own. */
  readonly env?: Readonly<Record<string, string>> | undefined;
}

/**
 * The pod that `extra` describes, and the namespace it names itself. As in the original, the worker
 * reads from its stdin once and the pod is never started again. Throws an `Error` that says what is
 * wrong with a pod definition.
 */
export async function workerPod(
  extra: Pick<KubeExtraData, "KubePod" | "Image" | "Command" | "Params">,
  { namePrefix, labels, env = {} }: WorkerPodOptions,
): Promise<Pod> {
  const given = extra.KubePod === "" ? podOfImage(extra) : await readPod(extra.KubePod);
  const { metadata = {}, spec } = given;
  const containers = spec?.containers ?? [];
  const index = containers.findIndex(({ name }) => name === WORKER);
  if (index < 0) throw new Error("at least one container must be named worker");
  const worker = containers[index]!;
  const { name, ...others } = metadata;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...others,
      generateName: name ? `${name}-` : namePrefix,
      labels: { ...metadata.labels, ...labels },
    },
    spec: {
      ...spec,
      containers: containers.with(index, attachable(worker, env)),
      restartPolicy: "Never",
    },
  };
}

function attachable(worker: Container, env: Readonly<Record<string, string>>): Container {
  const added: EnvVar[] = Object.entries(env).map(([name, value]) => ({ name, value }));
  return {
    ...worker,
    stdin: true,
    stdinOnce: true,
    ...(added.length > 0 ? { env: [...worker.env ?? [], ...added] } : {}),
  };
}

function podOfImage(
  { Image, Command, Params }: Pick<KubeExtraData, "Image" | "Command" | "Params">,
): Pod {
  const command = splitWords(Command);
  const args = splitWords(Params);
  const worker: Container = {
    name: WORKER,
    image: Image,
    ...(command.length > 0 ? { command } : {}),
    ...(args.length > 0 ? { args } : {}),
  };
  return { metadata: {}, spec: { containers: [worker] } };
}

/** Reads a pod definition in YAML or JSON. */
async function readPod(text: string): Promise<Pod> {
  const { load } = await import("js-yaml");
  let value: unknown;
  try {
    value = load(text);
  } catch (error) {
    // The parser quotes the text, which may hold secrets.
    const { line, column } = (error as { mark?: { line: number; column: number } }).mark ?? {};
    const where = line === undefined ? "" : ` at line ${line + 1}, column ${column! + 1}`;
    const { reason = "not YAML" } = error as { reason?: string };
    throw new Error(`the pod definition cannot be read: ${reason}${where}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error("the pod definition must be an object with metadata and spec");
  }
  const { kind, metadata, spec } = value as Record<string, unknown>;
  if (kind !== "Pod") {
    throw new Error(`the pod definition must have the kind Pod, got ${JSON.stringify(kind)}`);
  }
  const isObject = (part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part);
  if (!isObject(spec) || !Array.isArray((spec as { containers?: unknown }).containers)) {
    throw new Error("the pod definition has no spec with containers");
  }
  return {
    metadata: isObject(metadata) ? metadata as object : {},
    spec: spec as Pod["spec"],
  } as Pod;
}

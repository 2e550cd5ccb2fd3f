/**
 * Which programs a test can run: our daemon and client, and the reference peers in the folders
 * named by RECEPTOR_PEERS (Go 1.6.9 and its Python client) and RECEPTOR_PEERS_155 (Go 1.5.5).
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export type NodeKind = "ours" | "go" | "go155";
export type ClientKind = "ours" | "python";

/** A peer that may be absent, as the environment variable that would say where it is. */
export type Need = "RECEPTOR_PEERS" | "RECEPTOR_PEERS_155" | "RECEPTOR_ANSIBLE";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Value of a need's variable; undefined when unset or empty. */
export function folderOf(need: Need): string | undefined {
  return Deno.env.get(need) || undefined;
}

function required(need: Need): string {
  const folder = folderOf(need);
  if (folder === undefined) throw new Error(`${need} is not set: it names a folder of peers`);
  return folder;
}

/** What a test with these kinds of nodes and clients needs to be installed. */
export function needsOf(...kinds: (NodeKind | ClientKind)[]): Need[] {
  const needs = new Set<Need>();
  for (const kind of kinds) {
    if (kind === "go" || kind === "python") needs.add("RECEPTOR_PEERS");
    if (kind === "go155") needs.add("RECEPTOR_PEERS_155");
  }
  return [...needs];
}

/**
 * Whether tests run our programs from source (RECEPTOR_TEST_SOURCE=1) instead of the built files.
 */
export function runsFromSource(): boolean {
  return Deno.env.get("RECEPTOR_TEST_SOURCE") === "1";
}

function ours(built: string, source: string): string[] {
  if (!runsFromSource()) {
    const path = `${ROOT}dist/${built}`;
    if (!existsSync(path)) {
      throw new Error(`${path} is not there: deno task build, or set RECEPTOR_TEST_SOURCE=1`);
    }
    return [path];
  }
  return [Deno.execPath(), "run", "-A", "--no-prompt", `--config=${ROOT}deno.json`, ROOT + source];
}

/** The command line, without arguments, of a daemon. */
export function daemonCommand(kind: NodeKind): string[] {
  switch (kind) {
    case "ours":
      return ours("receptor", "main.ts");
    case "go":
      return [`${required("RECEPTOR_PEERS")}/receptor`];
    case "go155":
      return [`${required("RECEPTOR_PEERS_155")}/receptor`];
  }
}

/** The command line, without arguments, of a receptorctl. */
export function clientCommand(kind: ClientKind): string[] {
  return kind === "ours"
    ? ours("receptorctl", "ctl.ts")
    : [`${required("RECEPTOR_PEERS")}/receptorctl`];
}

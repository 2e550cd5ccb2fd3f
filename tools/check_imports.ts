/**
 * Checks the direction of imports between rooms, and that no files import each other in a circle,
 * type imports included. Prints each offence and exits with 1 if there is any.
 */
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { say } from "./say.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** From bottom to top: a room of lib/ imports only from itself and those before it. */
const ROOMS = [
  "base",
  "wire",
  "quic",
  "pki",
  "backends",
  "netceptor",
  "control",
  "workceptor",
  "services",
  "config",
  "daemon",
  "ctl",
];

/** Rooms in that order that must still not import each other: importer, imported. */
const STRANGERS: readonly (readonly [string, string])[] = [["ctl", "daemon"]];

/** Folders whose files are checked; lib/ may not import from the others. */
const FOLDERS = ["lib", "tests", "tools", "bench", "examples"];
const ENTRY_POINTS = ["main.ts", "ctl.ts", "mod.ts"];

/** Imports by file, both relative to the root. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

/** The relative TypeScript specifiers that `source` imports or exports from, statically or not. */
export function relativeImports(source: string): string[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const pattern = /(?:\bfrom|\bimport)\s*\(?\s*["'](\.{1,2}\/[^"']+\.ts)["']/g;
  return [...code.matchAll(pattern)].map((match) => match[1]!);
}

/** The room of a file such as `lib/base/clock.ts`; undefined outside of the rooms. */
function roomOf(file: string): string | undefined {
  return file.match(/^lib\/([^/]+)\//)?.[1];
}

/** Imports that go up, out of lib/, or into a stranger's room. */
export function misdirected(graph: ImportGraph): string[] {
  const offences: string[] = [];
  for (const [file, imports] of graph) {
    const room = roomOf(file);
    if (room === undefined) continue;
    if (file.endsWith("/mod.ts")) {
      offences.push(`${file}: rooms have no mod.ts; it would load all of a room at once`);
    }
    if (!ROOMS.includes(room)) offences.push(`${file} lies in lib/${room}, which is no known room`);
    for (const imported of imports) {
      const other = roomOf(imported);
      if (other === undefined) {
        offences.push(`${file} imports ${imported}, which is not in lib/`);
      } else if (ROOMS.indexOf(other) > ROOMS.indexOf(room)) {
        offences.push(`${file} imports ${imported}: lib/${other} stands above lib/${room}`);
      } else if (STRANGERS.some(([from, to]) => from === room && to === other)) {
        offences.push(`${file} imports ${imported}: lib/${room} must not know lib/${other}`);
      }
    }
  }
  return offences;
}

/** Groups of files that import each other (Tarjan's strongly connected components). */
export function cycles(graph: ImportGraph): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const onStack = new Set<string>();
  const found: string[][] = [];
  const visit = (file: string) => {
    index.set(file, index.size);
    low.set(file, index.get(file)!);
    stack.push(file);
    onStack.add(file);
    for (const next of graph.get(file) ?? []) {
      if (!index.has(next)) {
        visit(next);
        low.set(file, Math.min(low.get(file)!, low.get(next)!));
      } else if (onStack.has(next)) {
        low.set(file, Math.min(low.get(file)!, index.get(next)!));
      }
    }
    if (low.get(file) !== index.get(file)) return;
    const group: string[] = [];
    let member: string;
    do {
      member = stack.pop()!;
      onStack.delete(member);
      group.push(member);
    } while (member !== file);
    if (group.length > 1 || graph.get(file)?.includes(file)) found.push(group.sort());
  };
  for (const file of graph.keys()) if (!index.has(file)) visit(file);
  return found;
}

async function* typescriptFiles(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory && name !== "target") yield* typescriptFiles(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

async function readGraph(root: string): Promise<ImportGraph> {
  const graph = new Map<string, string[]>();
  const add = async (path: string) => {
    const imports = relativeImports(await Deno.readTextFile(path));
    graph.set(
      relative(root, path),
      imports.map((specifier) => relative(root, join(dirname(path), specifier))),
    );
  };
  for (const entry of ENTRY_POINTS) {
    await add(join(root, entry)).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
  for (const folder of FOLDERS) {
    for await (const path of typescriptFiles(join(root, folder))) await add(path);
  }
  return graph;
}

if (import.meta.main) {
  const graph = await readGraph(ROOT);
  const offences = [
    ...misdirected(graph),
    ...cycles(graph).map((group) => `import cycle: ${group.join(", ")}`),
  ];
  for (const offence of offences) say(offence);
  say(`${graph.size} files, ${offences.length} offences against the direction of imports`);
  if (offences.length > 0) Deno.exit(1);
}

/** Programs of the system that some tests use, wherever Debian puts them. */
import { join } from "node:path";

/** Where servers are; few users have these in their PATH. */
const SYSTEM_FOLDERS = ["/usr/sbin", "/usr/local/sbin"];
/** Has a folder for each version. */
const POSTGRESQL_FOLDER = "/usr/lib/postgresql";

/** The path of a program; undefined if it is not installed. */
export function findProgram(name: string): string | undefined {
  const path = (Deno.env.get("PATH") ?? "").split(":").filter((folder) => folder !== "");
  return [...path, ...SYSTEM_FOLDERS, ...postgresqlFolders()]
    .map((folder) => join(folder, name))
    .find(isFile);
}

/** As `findProgram`, for what a test has asked for. */
export function programPath(name: string): string {
  const path = findProgram(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  return path;
}

function postgresqlFolders(): string[] {
  try {
    return [...Deno.readDirSync(POSTGRESQL_FOLDER)]
      .map(({ name }) => join(POSTGRESQL_FOLDER, name, "bin"));
  } catch {
    return [];
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

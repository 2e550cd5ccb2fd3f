/** A private PostgreSQL server on loopback. */
import { eventually } from "../support/eventually.ts";
import { programPath } from "../support/find_program.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { run, runText } from "./_run.ts";

/** The programs that a test needs for it. */
export const POSTGRES_PROGRAMS = ["initdb", "postgres", "psql", "pgbench", "setpriv", "id"];
export const DATABASE_USER = "tester";
/** PostgreSQL does not run as root; Debian's package makes this user. */
const SYSTEM_USER = "postgres";

export interface Postgres extends AsyncDisposable {
  readonly port: number;
}

/** Resolves when it takes connections. */
export async function startPostgres(): Promise<Postgres> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.create());
  const data = folder.join("data");
  const as = await asSystemUser(folder);
  await run([
    ...as,
    programPath("initdb"),
    ...["--pgdata", data, "--auth=trust", "--username", DATABASE_USER],
    ...["--no-sync", "--encoding=UTF8", "--locale=C"],
  ]);
  const port = freePort();
  const settings = {
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: "",
    fsync: "off",
    max_connections: 40,
  };
  const server = Program.start([
    ...as,
    programPath("postgres"),
    ...["-D", data],
    ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ], { cwd: folder.path });
  // Quits at once, and gives its shared memory back.
  stack.defer(() => server.stop("SIGQUIT"));
  await server.waitForOutput(/ready to accept connections/);
  await eventually(() => runText([...psql(port), "-c", "select 1"]), { what: "the first query" });
  const owned = stack.move();
  return { port, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** A command line of psql without its query. */
export function psql(port: number): string[] {
  return [programPath("psql"), ...at(port), "-X", "-A", "-t", "-d", "postgres"];
}

/** A command line of pgbench without what it shall do. */
export function pgbench(port: number): string[] {
  return [programPath("pgbench"), ...at(port), "postgres"];
}

function at(port: number): string[] {
  return ["-h", "127.0.0.1", "-p", String(port), "-U", DATABASE_USER];
}

/** What a command line begins with so that it runs as another user, if we are root. */
async function asSystemUser(folder: TempFolder): Promise<string[]> {
  if (Deno.uid() !== 0) return [];
  const [uid, gid] = await Promise.all(
    ["-u", "-g"].map(async (option) =>
      Number(await runText([programPath("id"), option, SYSTEM_USER]))
    ),
  );
  await Deno.chown(folder.path, uid!, gid!);
  return [programPath("setpriv"), `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
}

/** An SSH server that has a Unix socket and no port, and clients of it. */
import { programPath } from "../support/find_program.ts";
import { testEnvironment } from "../support/program.ts";
import type { TempFolder } from "../support/temp_folder.ts";
import { run } from "./_run.ts";

/** The programs that a test needs for it. */
export const SSH_PROGRAMS = ["ssh", "sshd", "ssh-keygen", "nc", "id"];
/** Where sshd drops its privileges; the package leaves its making to the init system. */
const PRIVILEGE_SEPARATION_FOLDER = "/run/sshd";

export interface SshServer extends AsyncDisposable {
  /** How many connections are open. */
  readonly connections: number;
  /** A command line of ssh, without what it shall run, that reaches the server by a Unix socket. */
  client(socket: string): string[];
}

/** Serves each connection to the Unix socket `path`, with keys of its own in `folder`. */
export async function startSshServer(path: string, folder: TempFolder): Promise<SshServer> {
  const [hostKey, userKey] = [folder.join("host"), folder.join("user")];
  for (const key of [hostKey, userKey]) {
    await run([programPath("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", key]);
  }
  if (Deno.uid() === 0) {
    await Deno.mkdir(PRIVILEGE_SEPARATION_FOLDER, { recursive: true, mode: 0o755 });
  }
  const server = [
    ...[programPath("sshd"), "-i", "-e", "-f", "/dev/null", "-h", hostKey],
    ...option("AuthorizedKeysFile", `${userKey}.pub`),
    ...["StrictModes", "UsePAM"].flatMap((name) => option(name, "no")),
    ...option("PidFile", "none"),
  ];
  const listener = Deno.listen({ transport: "unix", path });
  const running = new Set<Promise<void>>();
  const accepting = (async () => {
    for await (const conn of listener) {
      const one: Promise<void> = serve(conn, server).finally(() => running.delete(one));
      running.add(one);
    }
  })();
  return {
    get connections() {
      return running.size;
    },
    client: (socket) => [
      ...[programPath("ssh"), "-F", "none", "-i", userKey],
      ...option("ProxyCommand", `${programPath("nc")} -U ${socket}`),
      ...option("StrictHostKeyChecking", "no"),
      ...option("UserKnownHostsFile", "/dev/null"),
      ...option("BatchMode", "yes"),
      "behind-the-mesh",
    ],
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting.catch(() => {});
      await Promise.all(running);
    },
  };
}

/** One connection with a server process of its own; never rejects. */
async function serve(conn: Deno.UnixConn, [file, ...args]: readonly string[]): Promise<void> {
  const child = new Deno.Command(file!, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
    clearEnv: true,
    env: testEnvironment(),
  }).spawn();
  await Promise.allSettled([
    conn.readable.pipeTo(child.stdin),
    child.stdout.pipeTo(conn.writable),
    child.status,
  ]);
}

function option(name: string, value: string): string[] {
  return ["-o", `${name}=${value}`];
}

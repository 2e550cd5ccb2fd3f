/**
 * What people do without a mesh: a remote command over an existing, shared SSH connection. Needs
 * sshd on this machine; a separate one is started for this, with its own keys.
 */
import { eventually } from "../../tests/support/eventually.ts";
import { findProgram } from "../../tests/support/find_program.ts";
import { freePort } from "../../tests/support/ports.ts";
import { Program } from "../../tests/support/program.ts";
import { TempFolder } from "../../tests/support/temp_folder.ts";
import { type Limit, over } from "../row.ts";
import { percentile } from "../statistics.ts";
import { timed } from "../timed.ts";

const COMMANDS = 20;
const HOST = "127.0.0.1";

export const ssh: Limit = {
  name: "`ssh`, shared connection",
  async setUp() {
    const [sshd, client, keygen] = ["sshd", "ssh", "ssh-keygen"].map(findProgram);
    if (sshd === undefined || client === undefined || keygen === undefined) return undefined;
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await TempFolder.create());
    const [hostKey, userKey] = [folder.join("host"), folder.join("user")];
    for (const key of [hostKey, userKey]) {
      await succeed([keygen, "-q", "-t", "ed25519", "-N", "", "-f", key]);
    }
    const port = freePort();
    const server = stack.use(Program.start([
      ...[sshd, "-D", "-e", "-f", "/dev/null", "-h", hostKey, "-p", String(port)],
      ...option("ListenAddress", HOST),
      ...option("AuthorizedKeysFile", `${userKey}.pub`),
      ...["StrictModes", "UsePAM"].flatMap((name) => option(name, "no")),
      ...option("PidFile", "none"),
    ]));
    await server.waitForOutput(/Server listening/).catch((cause) => {
      throw new Error(`sshd did not start: ${server.output.trim()}`, { cause });
    });
    const shared = [client, "-F", "none", "-S", folder.join("ssh.sock"), "-p", String(port)];
    stack.use(Program.start([
      ...[...shared, "-M", "-N", "-i", userKey],
      ...option("StrictHostKeyChecking", "no"),
      ...option("UserKnownHostsFile", "/dev/null"),
      HOST,
    ]));
    await eventually(() => succeed([...shared, "-O", "check", HOST]).then(() => true), {
      what: "the shared connection",
    });
    return over(stack.move(), async (signal) => {
      const times: number[] = [];
      while (times.length < COMMANDS) {
        signal.throwIfAborted();
        times.push((await timed(() => succeed([...shared, HOST, "echo hello"]))).ms);
      }
      return { p50: percentile(times, 0.5) };
    });
  },
};

function option(name: string, value: string): string[] {
  return ["-o", `${name}=${value}`];
}

async function succeed([file, ...args]: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(file!, { args, stdin: "null" }).output();
  if (!success) throw new Error(`${file} failed: ${new TextDecoder().decode(stderr).trim()}`);
}

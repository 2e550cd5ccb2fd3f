/**
 * Network namespaces that a test makes, each with interfaces, addresses and routes of its own; they
 * are gone with the test, however it ends.
 */
import { findProgram } from "./find_program.ts";
import { daemonCommand, type NodeKind } from "./peers.ts";

const decoder = new TextDecoder();

/** What is missing for namespaces with tun devices and pings between them; "" for nothing. */
export function missingForNamespaces(): string {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "root on Linux";
  const needed = ["ip", "ping", "unshare", "nsenter"].filter((program) =>
    findProgram(program) === undefined
  );
  if (needed.length > 0) return needed.join(", ");
  // Containers rarely have the right to, nor the file /dev/net/tun.
  const script = "ip tuntap add dev probe0 mode tun && ip link add probe1 type veth";
  return runs("unshare", "--net", "sh", "-c", script) ? "" : "the right to make interfaces";
}

/** Whether namespaces have IPv6: not every machine has. */
export function namespacesHaveIpv6(): boolean {
  const script = "ip link set lo up && ip address add fd00::1/64 dev lo";
  return runs("unshare", "--net", "sh", "-c", script);
}

function runs(file: string, ...args: string[]): boolean {
  try {
    return new Deno.Command(file, { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

export class Namespace implements AsyncDisposable {
  /** Ends with its stdin, and the namespace with it. */
  readonly #holder: Deno.ChildProcess;

  private constructor(holder: Deno.ChildProcess) {
    this.#holder = holder;
  }

  static async create(): Promise<Namespace> {
    const holder = new Deno.Command("unshare", {
      args: ["--net", "cat"],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    // What comes back says that the namespace is there.
    const [writer, reader] = [holder.stdin.getWriter(), holder.stdout.getReader()];
    await writer.write(Uint8Array.of(1));
    await reader.read();
    writer.releaseLock();
    reader.releaseLock();
    const namespace = new Namespace(holder);
    await namespace.ip("link set lo up");
    return namespace;
  }

  get pid(): number {
    return this.#holder.pid;
  }

  /** A command line that runs `command` in here, as the process that is started. */
  within(command: readonly string[]): string[] {
    return ["nsenter", `--net=/proc/${this.pid}/ns/net`, "--", ...command];
  }

  /** The command line of a daemon in here. */
  daemon(kind: NodeKind): string[] {
    return this.within(daemonCommand(kind));
  }

  /** What a command prints. Rejects if it fails. */
  async output(...command: string[]): Promise<string> {
    const [file, ...args] = this.within(command);
    const { success, stdout, stderr } = await new Deno.Command(file!, { args, stdin: "null" })
      .output();
    if (!success) {
      throw new Error(`${command.join(" ")}: ${decoder.decode(stderr)}${decoder.decode(stdout)}`);
    }
    return decoder.decode(stdout);
  }

  /** Runs iproute2 with `words`. */
  ip(words: string): Promise<string> {
    return this.output("ip", ...words.split(" "));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#holder.stdin.close();
    await this.#holder.stdout.cancel();
    await this.#holder.status;
  }
}

/** Two interfaces with a wire between them, one in each namespace: `a` and `b` are addresses. */
export async function wire(
  [near, a]: readonly [Namespace, string],
  [far, b]: readonly [Namespace, string],
  name: string,
): Promise<void> {
  await near.ip(`link add ${name} type veth peer name ${name} netns ${far.pid}`);
  for (const [namespace, address] of [[near, a], [far, b]] as const) {
    await namespace.ip(`address add ${address} dev ${name}`);
    await namespace.ip(`link set ${name} up`);
  }
}

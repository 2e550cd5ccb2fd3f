/** receptorctl, from its command line to its exit code. */
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/error_message.ts";
import { receptorctl } from "./command_table.ts";
import { type Ctl, type Input, NodeConnection, type Window } from "./ctl.ts";
import { CtlError, ExitCode, UsageError } from "./ctl_error.ts";
import { renderHelp, renderUsage } from "./help.ts";
import { socketOpener, type SocketOptions } from "./open_socket.ts";
import { parseArguments, type Parsed, type Place } from "./parse_arguments.ts";
import { type Output, OutputClosedError, Terminal } from "./terminal.ts";

/** Everything outside itself that receptorctl uses. */
export interface World {
  /** Our own version. */
  version: string;
  clock: Clock;
  environment(name: string): string | undefined;
  stdin: Input;
  window: Window;
  stdout: Output;
  stderr: Output;
  /** Aborts on Ctrl-C. */
  interrupted: AbortSignal;
}

/** Versions of the original that speak our protocol. */
const COMPATIBLE = /^1\.[4-6](\.|$)/;

/** Runs one command; never rejects. */
export async function main(words: readonly string[], world: World): Promise<number> {
  const terminal = new Terminal(world.stdout, world.stderr);
  const parsed = parseArguments(receptorctl, words, world.environment);
  try {
    switch (parsed.kind) {
      case "help":
        return await printHelp(terminal, parsed.place, parsed.isAsked);
      case "wrong":
        throw parsed.problem;
      case "command":
        return await run(parsed, world, terminal);
    }
  } catch (error) {
    if (world.interrupted.aborted) {
      // As the original on Ctrl-C: end the line, and nothing more.
      await terminal.endErrorLine();
      return 0;
    }
    if (error instanceof OutputClosedError) return ExitCode.General;
    if (error instanceof UsageError) await terminal.explain(renderUsage(parsed.place));
    await terminal.error(messageOf(error));
    return error instanceof CtlError ? error.exitCode : ExitCode.General;
  }
}

/** A group without a command is a mistake, which a script must notice. */
async function printHelp(terminal: Terminal, place: Place, isAsked: boolean): Promise<number> {
  const help = renderHelp(place);
  if (!isAsked) {
    await terminal.explain(help);
    return ExitCode.General;
  }
  await terminal.write(new TextEncoder().encode(help));
  return 0;
}

async function run(
  parsed: Extract<Parsed, { kind: "command" }>,
  world: World,
  terminal: Terminal,
): Promise<number> {
  const open = socketOpener(parsed.global as unknown as SocketOptions, world.environment);
  using node = new NodeConnection({ open, clock: world.clock }, world.interrupted);
  // Loads the command's code while waiting for the node's answer.
  const [command, version] = await Promise.all([parsed.spec.load(), askVersion(node)]);
  if (version !== world.version && !COMPATIBLE.test(version)) {
    await terminal.warning(
      "receptorctl and receptor are different versions, they may not be compatible",
    );
  }
  const ctl: Ctl = {
    node,
    terminal,
    input: world.stdin,
    window: world.window,
    environment: world.environment,
    signal: world.interrupted,
    versions: { receptorctl: world.version, receptor: version },
  };
  return await command(ctl, parsed.values as never) ?? 0;
}

async function askVersion(node: NodeConnection): Promise<string> {
  const reply = await node.command({ command: "status", requested_fields: ["Version"] });
  return String(reply.Version);
}

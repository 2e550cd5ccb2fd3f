/** The `receptor` program: from its arguments to its exit code. */
import { systemClock } from "../base/clock.ts";
import { messageOf } from "../base/error_message.ts";
import { escapeUnprintable } from "../base/printable.ts";
import { systemRandom } from "../base/random.ts";
import { ConfigError, InvalidConfigError } from "../config/config_error.ts";
import { type Config, refuseRetired } from "../config/config.ts";
import { type Command, loadCommand } from "../config/load_config.ts";
import { hasBackend } from "./backends.ts";
import { certificateCommands, runCertificateCommand } from "./certificate_commands.ts";
import { Daemon, type DaemonDeps } from "./daemon.ts";
import { type DaemonLog, startLogging } from "./logging.ts";
import { watchConfig } from "./watch_config.ts";
import { UnexpectedErrors } from "./unexpected_errors.ts";
import { VERSION } from "./version.ts";

/** The process around the program, which tests replace. */
export interface Host {
  /** Writes a text and a newline to standard output. */
  print(text: string): void;
  /** Writes a text and a newline to standard error. */
  complain(text: string): void;
  /** Aborts when the process is asked to end. */
  readonly stop: AbortSignal;
  /** Calls `listener` at each SIGHUP, which would otherwise end the process. */
  onHangup(listener: () => void): Disposable;
  /** Receives the events `error` and `unhandledrejection`: `globalThis`. */
  readonly errors: EventTarget;
}

/** A node as far as the program needs it. */
export type RunningNode = Pick<Daemon, "failed" | "reload" | typeof Symbol.asyncDispose>;

/**
 * Runs until the process is asked to stop, the node fails, or what was asked for is done. Resolves
 * to the exit code: 0, or 1 with a message for the user. Never rejects. `startNode` is for tests.
 */
export async function runReceptor(
  args: readonly string[],
  host: Host,
  startNode: (config: Config, deps: DaemonDeps) => Promise<RunningNode> = Daemon.start,
): Promise<number> {
  using unexpected = new UnexpectedErrors(host.errors, (text) => host.complain(text));
  try {
    const command = await loadCommand(args);
    if (command.kind !== "run") return await answer(command, host);
    const { config, watched } = command;
    refuseRetired(config);
    const certificates = certificateCommands(config);
    for (const configured of certificates) await runCertificateCommand(configured);
    if (certificates.length > 0 && certificates.length === config.actions.length) return 0;
    using logging = startLogging(config);
    unexpected.log = logging.log;
    return await runNode(config, { args, watched, host, log: logging.log, startNode });
  } catch (error) {
    if (error instanceof InvalidConfigError || error instanceof ConfigError) {
      // On standard output, as in the original: that is where its users' scripts look.
      for (const line of error.message.split("\n")) host.print(`Error: ${escapeUnprintable(line)}`);
    } else {
      unexpected.report(error);
    }
    return 1;
  }
}

async function answer(
  { kind }: Exclude<Command, { kind: "run" }>,
  { print }: Pick<Host, "print">,
): Promise<number> {
  switch (kind) {
    case "help": {
      const { helpText } = await import("../config/help.ts");
      print(helpText());
      break;
    }
    case "bash-completion": {
      const { bashCompletionScript } = await import("../config/bash_completion.ts");
      print(bashCompletionScript());
      break;
    }
    case "version":
      print(VERSION);
      break;
  }
  return 0;
}

interface NodeRun {
  readonly args: readonly string[];
  readonly watched: ReadonlyMap<string, string>;
  readonly host: Host;
  readonly log: DaemonLog;
  readonly startNode: (config: Config, deps: DaemonDeps) => Promise<RunningNode>;
}

async function runNode(
  config: Config,
  { args, watched, host, log, startNode }: NodeRun,
): Promise<number> {
  for (const warning of config.warnings) log.warning(warning);
  if (!hasBackend(config)) {
    log.warning("Nothing to do - no backends are running.");
    log.warning(
      "Add a tcp-peer to reach another node, a tcp-listener for others to reach this one, or " +
        "local-only for a node by itself. Run receptor --help for command line instructions.",
    );
    return 1;
  }
  const readConfig = async () => {
    const command = await loadCommand(args);
    if (command.kind !== "run") throw new TypeError("the arguments no longer name actions");
    refuseRetired(command.config);
    return command.config;
  };
  const started = Promise.withResolvers<RunningNode>();
  using _hangup = host.onHangup(() => void reloadWhen(started.promise, log));
  await using node = await startNode(config, {
    log,
    clock: systemClock,
    random: systemRandom,
    environment: (name) => Deno.env.get(name),
    readConfig,
  });
  log.info("Initialization complete");
  started.resolve(node);
  const reload = () => reloadWhen(started.promise, log);
  await using _watch = await watchConfig(watched, { log, clock: systemClock, reload });

  const stopped = Promise.withResolvers<undefined>();
  const stop = () => stopped.resolve(undefined);
  if (host.stop.aborted) stop();
  else host.stop.addEventListener("abort", stop, { once: true });
  const failure = await Promise.race([stopped.promise, node.failed]);
  host.stop.removeEventListener("abort", stop);
  if (failure === undefined) return 0;
  log.error(failure.message);
  return 1;
}

/** A reload whose result nobody awaits, of a node that may still be starting. */
async function reloadWhen(started: Promise<RunningNode>, log: DaemonLog): Promise<void> {
  try {
    await (await started).reload();
  } catch (error) {
    log.warning(`Reload not successful: ${messageOf(error)}`);
  }
}

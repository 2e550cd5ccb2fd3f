/** The `receptor` program: from its arguments to its exit code. */
import { systemClock } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import { ConfigError, InvalidConfigError } from "../config/config_error.ts";
import { type Config, refuseUnsupported } from "../config/config.ts";
import { type Command, loadCommand } from "../config/load_config.ts";
import { hasBackend } from "./backends.ts";
import { isCertificateCommand, runCertificateCommand } from "./certificate_commands.ts";
import { Daemon } from "./daemon.ts";
import { startLogging } from "./logging.ts";
import { VERSION } from "./version.ts";

/** What the program may print to, so that tests can read along. */
export interface Output {
  /** Answers to what was asked. */
  print(text: string): void;
  /** Complaints. */
  complain(text: string): void;
}

/**
 * Runs until `signal` aborts, the node fails, or what was asked is done. Resolves to the exit
 * code: 0, or 1 with a message for the user.
 */
export async function runReceptor(
  args: readonly string[],
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  try {
    const command = await loadCommand(args);
    if (command.kind !== "run") return await answer(command, output);
    const { config } = command;
    refuseUnsupported(config);
    const [first] = config.actions;
    if (first === undefined || !isCertificateCommand(first)) {
      return await runNode(config, args, signal);
    }
    await runCertificateCommand(first);
    return 0;
  } catch (error) {
    if (!(error instanceof InvalidConfigError || error instanceof ConfigError)) throw error;
    for (const line of error.message.split("\n")) output.complain(`Error: ${line}`);
    return 1;
  }
}

async function answer(
  { kind }: Exclude<Command, { kind: "run" }>,
  output: Output,
): Promise<number> {
  switch (kind) {
    case "help": {
      const { helpText } = await import("../config/help.ts");
      output.print(helpText());
      break;
    }
    case "bash-completion": {
      const { bashCompletionScript } = await import("../config/bash_completion.ts");
      output.print(bashCompletionScript());
      break;
    }
    case "version":
      output.print(VERSION);
      break;
  }
  return 0;
}

async function runNode(
  config: Config,
  args: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  await using logging = startLogging(config);
  const { log } = logging;
  for (const warning of config.warnings) log.warning(warning);
  if (!hasBackend(config)) {
    log.warning("Nothing to do - no backends are running.");
    log.warning("Run receptor --help for command line instructions.");
    return 1;
  }
  const readConfig = async () => {
    const command = await loadCommand(args);
    if (command.kind !== "run") throw new TypeError("the arguments no longer name actions");
    refuseUnsupported(command.config);
    return command.config;
  };
  await using daemon = await Daemon.start(config, {
    log,
    clock: systemClock,
    random: systemRandom,
    environment: (name) => Deno.env.get(name),
    readConfig,
  });
  log.info("Initialization complete");

  const stopped = Promise.withResolvers<undefined>();
  const stop = () => stopped.resolve(undefined);
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  const failure = await Promise.race([stopped.promise, daemon.failed]);
  signal.removeEventListener("abort", stop);
  if (failure === undefined) return 0;
  log.error(failure.message);
  return 1;
}

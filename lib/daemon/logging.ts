/**
 * The daemon's log, as configured.
 *
 * Our own code, because it is just a filter with two formats: loading LogTape for the same takes 13
 * ms, more than half of what an empty Deno program needs to start.
 */
import { systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { logLevel, trace } from "../config/actions/general.ts";
import type { Config } from "../config/config.ts";
import { ConfigError, InvalidConfigError } from "../config/config_error.ts";
import { LineWriter } from "./line_writer.ts";
import { jsonLine, type LogFields, textLine } from "./log_line.ts";

const LEVELS = ["error", "warning", "info", "debug"] as const;
export type LogLevel = (typeof LEVELS)[number];
export type LogFormat = "text" | "json";

export interface LogSettings {
  /** The least urgent level to show. */
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Whether to show packets on their way. */
  readonly tracing: boolean;
}

/** The settings before there is a configuration, and without a `log-level` action. */
export const defaultLogSettings: LogSettings = { level: "info", format: "text", tracing: false };

/** Decides the format if the configuration does not. */
const FORMAT_VARIABLE = "RECEPTOR_LOG_FORMAT";

/** Throws an `InvalidConfigError` if the environment asks for an unknown format. */
export function logSettingsOf(
  config: Config,
  environment: { get(name: string): string | undefined },
): LogSettings {
  const configured = config.find(logLevel)?.values;
  return {
    level: configured ? configured.level.toLowerCase() as LogLevel : defaultLogSettings.level,
    format: configured?.format ?? readFormat(environment.get(FORMAT_VARIABLE)),
    tracing: config.find(trace) !== undefined,
  };
}

function readFormat(written: string | undefined): LogFormat {
  if (written === undefined || written === "") return defaultLogSettings.format;
  if (written === "text" || written === "json") return written;
  throw new InvalidConfigError([
    new ConfigError(`${FORMAT_VARIABLE}: expected text or json, got ${JSON.stringify(written)}`),
  ]);
}

/** The log that rooms use, and what only the daemon uses. */
export interface DaemonLog extends Log {
  /** Packets on their way, shown if tracing is on, whatever the level. */
  trace(message: string, fields?: LogFields): void;
  /** Whether tracing is on: check it before building a costly message. */
  readonly tracing: boolean;
  /** The same log with these fields in every line. */
  with(fields: LogFields): DaemonLog;
}

export interface LogOutput {
  /** Takes complete lines, with their line feed; must not throw. */
  readonly write: (line: string) => void;
  /** Wall-clock milliseconds since 1970. */
  readonly wallTime: () => number;
}

export function createLog(
  settings: LogSettings,
  output: LogOutput,
  baseFields: LogFields = {},
): DaemonLog {
  const format = settings.format === "json" ? jsonLine : textLine;
  const printer = (level: string) => (message: string, fields?: LogFields) =>
    output.write(format(level, output.wallTime(), message, { ...baseFields, ...fields }));
  const shown = LEVELS.slice(0, LEVELS.indexOf(settings.level) + 1);
  const atLevel = (level: LogLevel) => shown.includes(level) ? printer(level) : () => {};
  return {
    error: atLevel("error"),
    warning: atLevel("warning"),
    info: atLevel("info"),
    debug: atLevel("debug"),
    trace: settings.tracing ? printer("trace") : () => {},
    tracing: settings.tracing,
    with: (fields) => createLog(settings, output, { ...baseFields, ...fields }),
  };
}

/** An open log, whose last lines are written when it is disposed of. */
export interface Logging extends Disposable {
  readonly log: DaemonLog;
}

/** Opens the log of a configuration on standard output. Throws an `InvalidConfigError`. */
export function startLogging(config: Config): Logging {
  const writer = new LineWriter(Deno.stdout);
  const log = createLog(logSettingsOf(config, Deno.env), {
    write: (line) => writer.write(line),
    wallTime: systemClock.wallTime,
  });
  return { log, [Symbol.dispose]: () => writer.finish() };
}

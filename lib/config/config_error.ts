/**
 * What is wrong with a configuration, with its position as fields for callers that want to point at
 * it.
 */
import { describePosition, type Position } from "./position.ts";

export interface ConfigErrorOptions extends ErrorOptions {
  position?: Position | undefined;
  action?: string | undefined;
  parameter?: string | undefined;
}

/** One mistake. The message is complete: `receptor.yml:12: tcp-peer: unknown parameter "adress"…`. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly position: Position | undefined;
  readonly action: string | undefined;
  readonly parameter: string | undefined;

  constructor(what: string, options: ConfigErrorOptions = {}) {
    const { position, action, parameter } = options;
    const where = position && position.kind !== "implicit" ? [describePosition(position)] : [];
    super([...where, ...(action ? [action] : []), what].join(": "), options);
    this.position = position;
    this.action = action;
    this.parameter = parameter;
  }

  /** The file that holds the mistake, if it is in one. */
  get source(): string | undefined {
    return this.position?.kind === "file" ? this.position.source : undefined;
  }

  /** The line in that file, counted from 1. */
  get line(): number | undefined {
    return this.position?.kind === "file" ? this.position.line : undefined;
  }
}

/** All mistakes that one reading found, at least one; the message has a line for each. */
export class InvalidConfigError extends AggregateError {
  override readonly name = "InvalidConfigError";
  declare readonly errors: ConfigError[];

  constructor(errors: readonly ConfigError[]) {
    super(errors, errors.map((error) => error.message).join("\n"));
  }
}

/**
 * What the rooms know of logging: a narrow interface that the daemon's log has, that LogTape and
 * other loggers of an embedding program already have, and that a test fakes in a few lines.
 * `fields` are structured (`node_id`, `remote_id`, …): they end up in the JSON suffix of a text
 * line, or as members of a JSON line.
 */
export interface Log {
  error(message: string, fields?: Record<string, unknown>): void;
  warning(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  debug(message: string, fields?: Record<string, unknown>): void;
}

/** Drops everything: for tests and for embedding without logs. */
export const silentLog: Log = {
  error() {},
  warning() {},
  info() {},
  debug() {},
};

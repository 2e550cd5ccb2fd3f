/** The two forms of a log line: as the original prints it, and as a JSON object. Pure. */
import { messageOf } from "../base/error_message.ts";
import { escapeUnprintable } from "../base/printable.ts";

export type LogFields = Readonly<Record<string, unknown>>;

/** Turns an event into one line, with its line feed. `timeMs` counts from 1970. */
export type LineFormat = (
  level: string,
  timeMs: number,
  message: string,
  fields: LogFields,
) => string;

/** `INFO 2026/11/21 00:26:11 message {"node_id":"foo"}` in local time. */
export const textLine: LineFormat = (level, timeMs, message, fields) => {
  const time = new Date(timeMs);
  const date = [time.getFullYear(), time.getMonth() + 1, time.getDate()].map(twoDigits).join("/");
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join(":");
  const json = toJson(fields);
  const suffix = json === "{}" ? "" : ` ${json}`;
  return `${level.toUpperCase()} ${date} ${clock} ${
    escapeUnprintable(message.trimEnd())
  }${suffix}\n`;
};

/** Members that every JSON line has; a field of the same name gets an underscore. */
const RESERVED_MEMBERS = new Set(["time", "level", "message"]);

/** `{"time":"2026-11-21T00:26:11.123Z","level":"info","message":"…","node_id":"foo"}`. */
export const jsonLine: LineFormat = (level, timeMs, message, fields) => {
  const members: Record<string, unknown> = {
    time: new Date(timeMs).toISOString(),
    level,
    message: message.trimEnd(),
  };
  for (const [name, value] of Object.entries(fields)) {
    members[RESERVED_MEMBERS.has(name) ? `${name}_` : name] = value;
  }
  return `${toJson(members)}\n`;
};

function twoDigits(number: number): string {
  return String(number).padStart(2, "0");
}

/** JSON on one line of printable characters, of any value: an odd one must not lose the line. */
function toJson(fields: LogFields): string {
  let json: string;
  try {
    json = JSON.stringify(fields, (_, value) => {
      if (typeof value === "bigint") return value.toString();
      if (value instanceof Error) return describeError(value);
      return value;
    });
  } catch (error) {
    const { time, level, message } = fields;
    json = JSON.stringify({ time, level, message, unprintable_fields: String(error) });
  }
  // JSON.stringify leaves some of these as they are.
  return escapeUnprintable(json);
}

/** How many errors of a chain of causes to describe. */
const MAX_CAUSES = 5;

/** The messages of an error and its causes, on one line. */
export function describeError(error: unknown): string {
  const messages: string[] = [];
  let cause = error;
  for (let i = 0; i < MAX_CAUSES && cause !== undefined; i++) {
    const message = messageOf(cause);
    // Many errors repeat the message of their cause.
    if (!messages.some((shown) => shown.includes(message))) messages.push(message);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return messages.join(": ");
}

/**
 * Service advertisements: which services a node offers, flooded through the mesh. JSON after the
 * type byte:
 *
 *     {"NodeID":…,"Service":…,"Time":…,"ConnType":…,"Tags":{…}|null,
 *      "WorkCommands":[{"WorkType":…,"Secure":…},…]|null,"Cancel":…}
 */
import { MAX_SERVICE_BYTES } from "./data_packet.ts";
import {
  booleanField,
  isObject,
  MalformedMessage,
  nodeIdField,
  parseJsonFields,
  printableField,
  stringField,
} from "./json_fields.ts";
import { encodeTextMessage, MessageType } from "./message_type.ts";
import { parseTimestamp } from "./timestamp.ts";

/** How a service can be reached. */
export const ConnectionType = {
  Datagram: 0,
  Stream: 1,
  /** A stream secured by a named TLS config. */
  StreamTls: 2,
} as const;
export type ConnectionType = (typeof ConnectionType)[keyof typeof ConnectionType];

/** One work type that is offered with the control service. */
export interface WorkCommand {
  readonly WorkType: string;
  /** Submissions must be signed. */
  readonly Secure: boolean;
}

export interface Advertisement {
  readonly nodeId: string;
  readonly service: string;
  /** RFC 3339 with nanoseconds, as its node wrote it; the newest wins. */
  readonly time: string;
  readonly connectionType: ConnectionType;
  readonly tags: ReadonlyMap<string, string> | null;
  readonly workCommands: readonly WorkCommand[] | null;
  /** The service is no longer offered. */
  readonly cancel: boolean;
}

/** An IP router has one for each of its routes. */
export const MAX_TAGS = 1024;
const MAX_TAG_LENGTH = 1024;
const MAX_WORK_COMMANDS = 1024;
const MAX_WORK_TYPE_LENGTH = 255;
const MAX_TIME_LENGTH = 64;

/** Reads a message, type byte included. Throws `MalformedMessage`. */
export function decodeAdvertisement(message: Uint8Array): Advertisement {
  const fields = parseJsonFields(message.subarray(1), "service advertisement");
  return {
    nodeId: nodeIdField(fields, "NodeID"),
    service: readService(printableField(fields, "Service", MAX_SERVICE_BYTES)),
    time: readTime(stringField(fields, "Time", MAX_TIME_LENGTH)),
    connectionType: readConnectionType(fields.ConnType),
    tags: readTags(fields.Tags ?? null),
    workCommands: readWorkCommands(fields.WorkCommands ?? null),
    cancel: booleanField(fields, "Cancel"),
  };
}

/** Writes a message, type byte included. */
export function encodeAdvertisement(advertisement: Advertisement): Uint8Array<ArrayBuffer> {
  const { tags, workCommands } = advertisement;
  const body = {
    NodeID: advertisement.nodeId,
    Service: advertisement.service,
    Time: advertisement.time,
    ConnType: advertisement.connectionType,
    Tags: tags === null ? null : Object.fromEntries(tags),
    WorkCommands: workCommands === null
      ? null
      : workCommands.map(({ WorkType, Secure }) => ({ WorkType, Secure })),
    Cancel: advertisement.cancel,
  };
  return encodeTextMessage(MessageType.Advertisement, JSON.stringify(body));
}

function readService(service: string): string {
  if (service === "" || new TextEncoder().encode(service).length > MAX_SERVICE_BYTES) {
    throw new MalformedMessage(`Service must have 1 to ${MAX_SERVICE_BYTES} bytes`);
  }
  return service;
}

function readTime(time: string): string {
  if (parseTimestamp(time) === undefined) throw new MalformedMessage("Time is not RFC 3339");
  return time;
}

function readConnectionType(value: unknown): ConnectionType {
  for (const type of Object.values(ConnectionType)) {
    if (type === (value ?? ConnectionType.Datagram)) return type;
  }
  throw new MalformedMessage("ConnType must be 0, 1 or 2");
}

function readTags(value: unknown): Map<string, string> | null {
  if (value === null) return null;
  if (!isObject(value)) throw new MalformedMessage("Tags must be an object");
  const names = Object.keys(value);
  if (names.length > MAX_TAGS) throw new MalformedMessage(`Tags has more than ${MAX_TAGS} entries`);
  return new Map(
    names.map((name) => {
      if (name.length > MAX_TAG_LENGTH || !name.isWellFormed()) {
        throw new MalformedMessage(`a tag's name has at most ${MAX_TAG_LENGTH} characters`);
      }
      return [name, stringField(value, name, MAX_TAG_LENGTH)];
    }),
  );
}

function readWorkCommands(value: unknown): WorkCommand[] | null {
  if (value === null) return null;
  if (!Array.isArray(value) || value.length > MAX_WORK_COMMANDS) {
    throw new MalformedMessage(`WorkCommands must be a list of at most ${MAX_WORK_COMMANDS}`);
  }
  return value.map((entry) => {
    if (!isObject(entry)) throw new MalformedMessage("a work command must be an object");
    const WorkType = printableField(entry, "WorkType", MAX_WORK_TYPE_LENGTH);
    if (WorkType === "") throw new MalformedMessage("a work command must have a WorkType");
    return { WorkType, Secure: booleanField(entry, "Secure") };
  });
}

/** Names of units and of the folder that holds a node's units: both become path components. */
import { createHash } from "node:crypto";
import { type Random, randomText } from "../base/random.ts";

/**
 * Longest id accepted from the network: far longer than any node makes, but still a valid file
 * name.
 */
export const MAX_UNIT_ID_LENGTH = 200;

const RANDOM_LENGTH = 8;

/** Longest file name, in bytes: that of all common file systems of Linux. */
const MAX_FILE_NAME_BYTES = 255;
/** Characters that are kept of a name that is too long, before its hash. */
const KEPT_CHARACTERS = 40;

/**
 * A new id in the form of the original from 1.6 on: the letters and digits of the node id, and 8
 * random ones, so that the same id can be used on both nodes of a remote unit.
 */
export function newUnitId(nodeId: string, random: Random): string {
  const prefix = nodeId.replace(/[^A-Za-z0-9]/g, "").slice(0, MAX_UNIT_ID_LENGTH - RANDOM_LENGTH);
  return prefix + randomText(random, RANDOM_LENGTH);
}

/** Whether an id that came from the network may name a new unit. */
export function isAcceptableUnitId(id: string): boolean {
  return id.length <= MAX_UNIT_ID_LENGTH && /^[A-Za-z0-9]+$/.test(id);
}

/**
 * Whether `name` could be a unit's folder. More names are allowed than we make, since the original
 * accepts any text as an id; those with a leading dot are for files of our own.
 */
export function isUnitFolderName(name: string): boolean {
  // deno-lint-ignore no-control-regex -- a NUL ends a path
  return name !== "" && !name.startsWith(".") && !/[/\x00]/.test(name);
}

/**
 * The folder of a node's units below the data folder: the node id as it is, as in the original,
 * except for what would escape that one level.
 */
export function nodeFolderName(nodeId: string): string {
  if (nodeId === "") throw new TypeError("node id must not be empty");
  // deno-lint-ignore no-control-regex -- a NUL ends a path
  const escaped = nodeId.replace(/[%/\x00]/g, percentEncoded);
  const name = escaped.startsWith(".") ? percentEncoded(".") + escaped.slice(1) : escaped;
  return shortened(name, MAX_FILE_NAME_BYTES);
}

/** What has `suffix` and belongs to, and is next to, the folder `name` of a node's units. */
export function companionName(name: string, suffix: string): string {
  return `.${shortened(name, MAX_FILE_NAME_BYTES - 1 - suffix.length)}${suffix}`;
}

/** `name`, or its beginning and its hash if it takes more than `maxBytes`. */
function shortened(name: string, maxBytes: number): string {
  if (new TextEncoder().encode(name).length <= maxBytes) return name;
  const start = [...name].slice(0, KEPT_CHARACTERS).join("");
  return `${start}%${createHash("sha256").update(name).digest("hex")}`;
}

function percentEncoded(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
}

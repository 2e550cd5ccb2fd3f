/**
 * Whether the kernel can run a file, judged by its first bytes. A shell would take a file of
 * unknown format for a script and run its lines, and words every other failure in its own way; so
 * this is found out before a shell is involved.
 */
import { readBinfmtHandlers } from "./binfmt_misc.ts";

/** As many bytes as the kernel looks at (`BINPRM_BUF_SIZE`). */
const HEAD_BYTES = 256;

/** How many levels of scripts interpreted by scripts the kernel follows. */
const MAX_INTERPRETERS = 5;

const NOT_FOUND = "no such file or directory";
const BAD_FORMAT = "exec format error";

/** The machine numbers (`e_machine`) that a kernel of the architecture runs, 32 bits included. */
const MACHINES: Record<string, readonly number[]> = { x86_64: [62, 3], aarch64: [183, 40] };

/** Types of ELF files (`e_type`) that can be run: programs, fixed and position-independent. */
const PROGRAM_TYPES = [2, 3];

const PT_INTERP = 3;
/** Far longer than any path, since a program header may claim anything. */
const MAX_PATH_BYTES = 4096;
const MAX_PROGRAM_HEADERS_BYTES = 65_536;

/**
 * Why the kernel cannot run the file at `path`, which exists and is executable, in Go's words;
 * `undefined` if it can, or if only trying will tell.
 */
export async function formatProblem(path: string): Promise<string | undefined> {
  let file = path;
  for (let depth = 0; depth <= MAX_INTERPRETERS; depth++) {
    const head = await readHead(file);
    // A file may be executable without being readable.
    if (head === undefined) return undefined;
    if (!startsWith(head, "#!")) return await binaryProblem(file, head);
    const interpreter = interpreterIn(head);
    if (interpreter === undefined) return BAD_FORMAT;
    const problem = await executableProblem(interpreter);
    if (problem !== undefined) return problem;
    file = interpreter;
  }
  return "too many levels of symbolic links";
}

/** Why the file at `path` may not be run at all; `undefined` if it may. */
export async function executableProblem(path: string): Promise<string | undefined> {
  try {
    const { isFile, mode } = await Deno.stat(path);
    return isFile && ((mode ?? 0o111) & 0o111) !== 0 ? undefined : "permission denied";
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
    return NOT_FOUND;
  }
}

/** The program named after `#!`; `undefined` if there is none, or its name was cut off. */
export function interpreterIn(head: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(head.subarray(2));
  const [line, ...rest] = text.split("\n");
  const [, name, end] = /^[ \t]*([^ \t\0]+)([ \t\0]?)/.exec(line!) ?? [];
  const isWhole = rest.length > 0 || end !== "" || head.length < HEAD_BYTES;
  return isWhole ? name : undefined;
}

async function binaryProblem(path: string, head: Uint8Array): Promise<string | undefined> {
  if (startsWith(head, "\x7fELF")) {
    const elf = parseElfHeader(head);
    if (elf !== undefined && (MACHINES[Deno.build.arch] ?? [elf.machine]).includes(elf.machine)) {
      const loader = await readLoader(path, elf);
      return loader === undefined ? undefined : await executableProblem(loader);
    }
  }
  for (const handles of await readBinfmtHandlers()) if (handles(path, head)) return undefined;
  return BAD_FORMAT;
}

/** The relevant fields of an ELF file's header. */
export interface ElfHeader {
  readonly machine: number;
  readonly is64: boolean;
  readonly littleEndian: boolean;
  readonly programHeaders: {
    readonly offset: number;
    readonly size: number;
    readonly count: number;
  };
}

/** Reads the header of a program; `undefined` if it is not an ELF header, or not a program's. */
export function parseElfHeader(head: Uint8Array): ElfHeader | undefined {
  const is64 = head[4] === 2;
  if (head.length < (is64 ? 64 : 52)) return undefined;
  const littleEndian = head[5] === 1;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (!PROGRAM_TYPES.includes(view.getUint16(16, littleEndian))) return undefined;
  return {
    machine: view.getUint16(18, littleEndian),
    is64,
    littleEndian,
    programHeaders: {
      offset: is64 ? Number(view.getBigUint64(32, littleEndian)) : view.getUint32(28, littleEndian),
      size: view.getUint16(is64 ? 54 : 42, littleEndian),
      count: view.getUint16(is64 ? 56 : 44, littleEndian),
    },
  };
}

/** The dynamic loader that a program asks for, which may not exist; `undefined` if it is static. */
async function readLoader(path: string, elf: ElfHeader): Promise<string | undefined> {
  const { offset, size, count } = elf.programHeaders;
  if (size < 32 || size * count > MAX_PROGRAM_HEADERS_BYTES) return undefined;
  const table = await readBytes(path, offset, size * count);
  const view = new DataView(table.buffer, 0, table.byteLength);
  for (let at = 0; at + size <= table.byteLength; at += size) {
    if (view.getUint32(at, elf.littleEndian) !== PT_INTERP) continue;
    const [start, length] = elf.is64 && size >= 56
      ? [view.getBigUint64(at + 8, elf.littleEndian), view.getBigUint64(at + 32, elf.littleEndian)]
      : [view.getUint32(at + 4, elf.littleEndian), view.getUint32(at + 16, elf.littleEndian)];
    if (length > MAX_PATH_BYTES) return undefined;
    const name = await readBytes(path, Number(start), Number(length));
    return new TextDecoder().decode(name).split("\0")[0] || undefined;
  }
  return undefined;
}

async function readHead(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readBytes(path, 0, HEAD_BYTES);
  } catch {
    return undefined;
  }
}

/** At most `length` bytes, fewer at the end of the file. */
async function readBytes(
  path: string,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  using file = await Deno.open(path);
  await file.seek(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const count = await file.read(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}

function startsWith(head: Uint8Array, magic: string): boolean {
  return [...magic].every((character, i) => head[i] === character.charCodeAt(0));
}

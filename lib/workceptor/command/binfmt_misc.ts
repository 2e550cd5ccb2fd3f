/**
 * Program formats that an administrator has taught the kernel (binfmt_misc): those of other
 * machines through an emulator, Java, and the like.
 */

const FOLDER = "/proc/sys/fs/binfmt_misc";

/** Whether the kernel hands the file with this path and these first bytes to some interpreter. */
export type BinfmtHandler = (path: string, head: Uint8Array) => boolean;

/** The handlers in force; none where the kernel does not show them. */
export async function readBinfmtHandlers(): Promise<BinfmtHandler[]> {
  try {
    const handlers: BinfmtHandler[] = [];
    for await (const { name } of Deno.readDir(FOLDER)) {
      if (name === "register" || name === "status") continue;
      const handler = parseBinfmtEntry(await Deno.readTextFile(`${FOLDER}/${name}`));
      if (handler !== undefined) handlers.push(handler);
    }
    return handlers;
  } catch {
    return [];
  }
}

/** Reads what the kernel shows of one handler; `undefined` for a disabled one. */
export function parseBinfmtEntry(text: string): BinfmtHandler | undefined {
  const [state, ...lines] = text.split("\n");
  if (state !== "enabled") return undefined;
  const fields = new Map(lines.map((line) => line.split(" ", 2) as [string, string]));
  const extension = fields.get("extension");
  if (extension !== undefined) return (path) => path.endsWith(extension);
  const magic = bytesOf(fields.get("magic") ?? "");
  const mask = bytesOf(fields.get("mask") ?? "");
  const offset = Number(fields.get("offset") ?? 0);
  if (magic.length === 0) return undefined;
  return (_path, head) =>
    head.length >= offset + magic.length &&
    magic.every((byte, i) => ((head[offset + i]! ^ byte) & (mask[i] ?? 0xff)) === 0);
}

function bytesOf(hex: string): number[] {
  return (hex.match(/[0-9a-f]{2}/gi) ?? []).map((pair) => Number.parseInt(pair, 16));
}

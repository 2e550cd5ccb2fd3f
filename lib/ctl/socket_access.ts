/** Explains who may use a control socket, to a user who may not. */

const WRITE_OTHERS = 0o002;
const WRITE_GROUP = 0o020;

/** Owner, group and mode of the socket, and what would help; "" if even those are hidden. */
export async function describeAccess(path: string): Promise<string> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.lstat(path);
  } catch {
    return ": you may not even enter its folder.";
  }
  const mode = (info.mode ?? 0) & 0o777;
  const owner = await nameOf("/etc/passwd", info.uid);
  const group = await nameOf("/etc/group", info.gid);
  const facts = ` (mode 0${mode.toString(8).padStart(3, "0")}, owner ${owner}, group ${group})`;
  if (mode & WRITE_OTHERS) return `${facts}: a folder above it is closed to you.`;
  if (mode & WRITE_GROUP) return `${facts}: run as ${owner}, or as a member of group ${group}.`;
  return `${facts}: run as ${owner}, or have the node's control-service give it permissions 0660.`;
}

/** The name of a user or group id in a file of the form of /etc/passwd, or the id itself. */
async function nameOf(path: string, id: number | null): Promise<string> {
  try {
    const lines = (await Deno.readTextFile(path)).split("\n").map((line) => line.split(":"));
    return lines.find(([, , number]) => number === String(id))?.[0] ?? String(id);
  } catch {
    return String(id);
  }
}

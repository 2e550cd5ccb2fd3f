/** A folder private to one user, in a place where everybody may create one, such as `/tmp`. */

const PRIVATE_MODE = 0o700;
const OTHERS = 0o077;

/**
 * Creates the folder `path`, or checks an existing one: it must be a folder and not a link to one,
 * belong to `uid`, and be closed to everybody else. Throws an `Error` that says what is wrong.
 */
export async function makeOwnFolder(path: string, uid: number | null = Deno.uid()): Promise<void> {
  try {
    await Deno.mkdir(path, { mode: PRIVATE_MODE });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  const found = await Deno.lstat(path);
  const refuse = (problem: string) => {
    throw new Error(`${path} ${problem}: only you may own the folder of your control socket`);
  };
  if (found.isSymlink) refuse("is a link");
  if (!found.isDirectory) refuse("is not a folder");
  if (found.uid !== uid) refuse(`belongs to user ${found.uid}`);
  const mode = (found.mode ?? 0) & 0o777;
  if ((mode & OTHERS) !== 0) refuse(`is open to others (mode 0${mode.toString(8)}, not 0700)`);
}

/**
 * Root and another user, `nobody`, on one machine with a private `/tmp` for the test, so that it
 * finds no files of others and leaves none.
 */
import { clientCommand, daemonCommand } from "./peers.ts";
import { testEnvironment } from "./program.ts";

export const NOBODY = 65_534;

const PRIVATE_TMP = "mount -t tmpfs -o mode=1777 tmpfs /tmp";

/** What the scripts of these tests use. */
const PREAMBLE = `
AS_NOBODY="env HOME=/tmp DENO_DIR=/tmp/nobody-deno \\
  setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups"
# start ARGUMENT...: a node of root's, until its log says that it runs, or to its end.
start() {
  $RECEPTOR "$@" >/tmp/log 2>&1 &
  node=$!
  until grep -q "Initialization complete" /tmp/log || ! kill -0 $node 2>/dev/null; do sleep 0.1; done
}
`;

export interface ScriptResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a script as root; it has `$AS_NOBODY`, `start`, `$RECEPTOR`, `$RECEPTORCTL` and `$DENO`. */
export async function asTwoUsers(
  script: string,
  env: Record<string, string> = {},
): Promise<ScriptResult> {
  return await run(`set -e\n${PRIVATE_TMP}\n${PREAMBLE}\n${script}`, {
    RECEPTOR: daemonCommand("ours").join(" "),
    RECEPTORCTL: clientCommand("ours").join(" "),
    ...env,
  });
}

async function run(script: string, env: Record<string, string>): Promise<ScriptResult> {
  const { code, stdout, stderr } = await new Deno.Command("timeout", {
    args: ["--kill-after=5", "120", "unshare", "--mount", "sh", "-c", script],
    clearEnv: true,
    env: { ...testEnvironment(), DENO: Deno.execPath(), ...env },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

async function isPossible(): Promise<boolean> {
  if (Deno.uid() !== 0) return false;
  try {
    const script = `set -e\n${PRIVATE_TMP}\n${PREAMBLE}\n$AS_NOBODY "$DENO" --version`;
    return (await run(script, {})).code === 0;
  } catch {
    return false;
  }
}

const possible = await isPossible();

/** A test with two users; skipped, with a name that says so, where that cannot be arranged. */
export function twoUsersTest(name: string, fn: () => Promise<void>): void {
  Deno.test({
    name: possible ? name : `${name} (skipped: it takes root, unshare and setpriv)`,
    ignore: !possible,
    fn,
  });
}

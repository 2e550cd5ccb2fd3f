/** Another user of the machine is first where root's default control socket would be. */
import assert from "node:assert/strict";
import { clientCommand, daemonCommand } from "../support/peers.ts";
import { testEnvironment } from "../support/program.ts";

const NOBODY = 65_534;

/** `/tmp` is the test's own, so that it finds nobody's files and leaves none. */
const PRIVATE_TMP = "mount -t tmpfs -o mode=1777 tmpfs /tmp";

async function run(script: string, env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command("timeout", {
    args: ["120", "unshare", "--mount", "sh", "-c", script],
    clearEnv: true,
    env: { ...testEnvironment(), ...env },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

async function canHaveTwoUsers(): Promise<boolean> {
  if (Deno.uid() !== 0) return false;
  const asNobody = `setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups`;
  try {
    return (await run(`${PRIVATE_TMP} && ${asNobody} "$DENO" --version`, { DENO: Deno.execPath() }))
      .code === 0;
  } catch {
    return false;
  }
}

/** What nobody runs: a control service that would take any work, and tells what it was sent. */
const IMPOSTOR = `
Deno.mkdirSync("/tmp/receptor-0");
const listener = Deno.listen({ transport: "unix", path: "/tmp/receptor-0/receptor.sock" });
Deno.chmodSync("/tmp/receptor-0", 0o777);
Deno.chmodSync("/tmp/receptor-0/receptor.sock", 0o777);
for await (const conn of listener) {
  console.log("IMPOSTOR: somebody connected");
  await conn.write(new TextEncoder().encode("Receptor Control, node foo\\n"));
  await conn.readable.pipeTo(Deno.stdout.writable, { preventClose: true });
}
`;

/** Both programs of root's without a flag or variable that says where the socket is. */
const SCRIPT = `
set -e
${PRIVATE_TMP}
mkdir -m 0777 /tmp/nobody
HOME=/tmp/nobody DENO_DIR=/tmp/nobody setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups \\
  "$DENO" eval "$IMPOSTOR" &
impostor=$!
while [ ! -S /tmp/receptor-0/receptor.sock ]; do sleep 0.1; done
code=0
$RECEPTORCTL work submit cat -l secret || code=$?
echo "receptorctl exits with $code"
$RECEPTOR --node id=foo --local-only >/tmp/log 2>&1 &
node=$!
until grep -q "Initialization complete" /tmp/log; do sleep 0.1; done
kill $node $impostor
wait
cat /tmp/log
`;

const isPossible = await canHaveTwoUsers();
Deno.test({
  name: `another user's socket in /tmp is neither used nor taken for ours${
    isPossible ? "" : " (skipped: it takes root, unshare and setpriv)"
  }`,
  ignore: !isPossible,
  async fn() {
    const { stdout, stderr } = await run(SCRIPT, {
      DENO: Deno.execPath(),
      IMPOSTOR,
      RECEPTOR: daemonCommand("ours").join(" "),
      RECEPTORCTL: clientCommand("ours").join(" "),
    });
    assert.match(stdout, /^receptorctl exits with 1$/m, stderr);
    assert.match(
      stderr,
      /^ERROR: Control socket \/tmp\/receptor-0\/receptor\.sock is not used: \/tmp\/receptor-0 belongs to user 65534, neither to you nor to root\./m,
    );
    assert.match(
      stdout,
      /^WARNING .*No default control socket: \/tmp\/receptor-0 belongs to user 65534/m,
    );
    assert.doesNotMatch(stdout, /IMPOSTOR|secret/);
  },
});

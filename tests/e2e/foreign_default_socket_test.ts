/** Another user of the machine is first to occupy the place of root's default control socket. */
import assert from "node:assert/strict";
import { asTwoUsers, twoUsersTest } from "../support/two_users.ts";

/** What nobody runs: a control service that would accept any work, and reports what it was sent. */
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

/** Root runs both programs without a flag or variable that says where the socket is. */
const SCRIPT = `
$AS_NOBODY "$DENO" eval "$IMPOSTOR" &
impostor=$!
while [ ! -S /tmp/receptor-0/receptor.sock ]; do sleep 0.1; done
code=0
$RECEPTORCTL work submit cat -l secret || code=$?
echo "receptorctl exits with $code"
start --node id=foo --local-only
kill $node $impostor
wait
cat /tmp/log
`;

twoUsersTest("another user's socket in /tmp is neither used nor taken for ours", async () => {
  const { stdout, stderr } = await asTwoUsers(SCRIPT, { IMPOSTOR });
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
});

/**
 * Another user of the machine is first to occupy the place where root's node would keep its units.
 */
import assert from "node:assert/strict";
import { asTwoUsers, NOBODY, twoUsersTest } from "../support/two_users.ts";

/** A unit that would be submitted to another node, signed with this node's key. */
const PLANTED = JSON.stringify({
  State: 0,
  Detail: "Connecting to remote node bar",
  StdoutSize: 0,
  WorkType: "remote",
  ExtraData: {
    RemoteNode: "bar",
    RemoteWorkType: "shell",
    RemoteParams: {},
    RemoteUnitID: "",
    RemoteStarted: false,
    LocalCancelled: false,
    LocalReleased: false,
    SignWork: true,
    TLSClient: "",
    Expiration: "0001-01-01T00:00:00Z",
  },
});

const START = `
start --node id=foo --local-only --work-command worktype=cat command=cat \\
  --control-service filename=/tmp/foo.sock
kill $node 2>/dev/null || true
code=0
wait $node || code=$?
cat /tmp/log
echo "exit $code"
`;

/** What a node says that rightly does not start. */
async function refusal(preparation: string): Promise<string> {
  const { stdout, stderr } = await asTwoUsers(`${preparation}\n${START}`, { PLANTED });
  assert.match(stdout, /^exit 1$/m, stderr + stdout);
  assert.doesNotMatch(stdout, /Initialization complete/);
  return stdout;
}

twoUsersTest(
  "a data folder that another user made is refused, with what would be right",
  async () => {
    assert.match(
      await refusal("$AS_NOBODY mkdir -m 0777 /tmp/receptor"),
      new RegExp(
        `/tmp/receptor/foo is not safe: /tmp/receptor belongs to user ${NOBODY}, not to you or root: ` +
          "others could have jobs run as this node\\. Make it the node's user's alone \\(mode 0700\\)" +
          ", or give the node another datadir",
      ),
    );
  },
);

twoUsersTest("a node's folder that another user made is refused", async () => {
  assert.match(
    await refusal(`
mkdir -m 1777 /tmp/receptor
$AS_NOBODY mkdir -p /tmp/receptor/foo/planted
$AS_NOBODY sh -c 'echo "$PLANTED" >/tmp/receptor/foo/planted/status'
chmod 700 /tmp/receptor`),
    new RegExp(`/tmp/receptor/foo belongs to user ${NOBODY}, not to you or root: others could`),
  );
});

twoUsersTest("a data folder that everybody may write is refused", async () => {
  assert.match(
    await refusal("mkdir -m 0777 /tmp/receptor"),
    /\/tmp\/receptor\/foo is not safe: \/tmp\/receptor may be written by everybody \(mode 0777\)/,
  );
});

twoUsersTest("a link of another user's is not followed to a data folder", async () => {
  const said = await refusal("mkdir /tmp/root-only\n$AS_NOBODY ln -s root-only /tmp/receptor");
  assert.match(said, /\/tmp\/receptor\/foo is not safe: \/tmp\/receptor belongs to user/);
});

twoUsersTest("a lock file that another user made is refused", async () => {
  const said = await refusal(`
mkdir -m 1777 /tmp/receptor
$AS_NOBODY ln -s /tmp/root-only /tmp/receptor/.foo.lock`);
  assert.match(said, /\/tmp\/receptor\/\.foo\.lock is not a file: others could have jobs run/);
});

twoUsersTest("a link in the place of a control socket's lock file is not followed", async () => {
  const { stdout } = await asTwoUsers(`
$AS_NOBODY ln -s /tmp/made-by-root /tmp/foo.sock.lock
${START}
ls /tmp/made-by-root || echo "nothing was made"`);
  assert.match(stdout, /^exit 1$/m);
  assert.match(stdout, /cannot create control socket \/tmp\/foo\.sock: .*lock is not a file/);
  assert.match(stdout, /^nothing was made$/m);
});

twoUsersTest(
  "units and files that another user planted are left alone by root's node",
  async () => {
    const { stdout, stderr } = await asTwoUsers(
      `
# A folder that a group shares; nobody is in it.
mkdir -m 0770 /tmp/receptor /tmp/receptor/foo
chgrp -R ${NOBODY} /tmp/receptor
$AS_NOBODY mkdir /tmp/receptor/foo/planted
$AS_NOBODY sh -c 'echo "$PLANTED" >/tmp/receptor/foo/planted/status'
echo untouched >/tmp/secret
chmod 600 /tmp/secret
# Ours, but with links in it.
mkdir /tmp/receptor/foo/linked
echo '{"State":2,"WorkType":"cat","StdoutSize":10}' >/tmp/receptor/foo/linked/status
ln -s /tmp/secret /tmp/receptor/foo/linked/stdout
ln -s /tmp/receptor/foo/linked /tmp/receptor/foo/link
start --node id=foo --local-only --control-service filename=/tmp/foo.sock \\
  --work-command worktype=cat command=cat
export RECEPTORCTL_SOCKET=/tmp/foo.sock
$RECEPTORCTL work list --quiet 2>&1 || true
$RECEPTORCTL work results linked 2>&1 || true
$RECEPTORCTL work cancel planted 2>&1 || true
kill $node
wait
cat /tmp/log
ls -l /tmp/receptor/foo/planted
`,
      { PLANTED },
    );
    assert.match(stdout, /Initialization complete/, stderr + stdout);
    assert.match(
      stdout,
      new RegExp(
        `WARNING .*Not taken for a work unit: /tmp/receptor/foo/planted belongs to user ${NOBODY}`,
      ),
    );
    assert.match(stdout, /unknown work unit planted/);
    assert.match(stdout, /the results ended after 0 of 10 bytes/);
    assert.doesNotMatch(stdout, /untouched|"planted"|"link"/);
  },
);

twoUsersTest("the default data folder is made for the node's user alone", async () => {
  const { stdout, stderr } = await asTwoUsers(
    `${START}\nstat -c '%n %a %u' /tmp/receptor /tmp/receptor/foo`,
  );
  assert.match(stdout, /Initialization complete/, stderr + stdout);
  assert.match(stdout, /^\/tmp\/receptor 700 0\n\/tmp\/receptor\/foo 700 0$/m);
});

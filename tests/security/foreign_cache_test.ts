/** Another user of the machine is first where root's self-extracting file would unpack itself. */
import assert from "node:assert/strict";
import { runsFromSource } from "../support/peers.ts";
import { asTwoUsers, NOBODY, twoUsersTest } from "../support/two_users.ts";

/** Whose copy is started, if any; the planted one says so. */
async function started(preparation: string): Promise<string> {
  const { stdout, stderr } = await asTwoUsers(`
export RECEPTOR_CACHE=/tmp/cache
$RECEPTOR --version >/dev/null
names=$(cd /tmp/cache && echo *)
mv /tmp/cache /tmp/original
${preparation}
$RECEPTOR --version >/tmp/said 2>&1 || true
cat /tmp/said
`);
  return stdout + stderr;
}

/** Makes a cache folder like root's in which whatever is started says `planted`. */
const PLANT = `
$AS_NOBODY mkdir -m 0777 /tmp/cache
for name in $names; do
  $AS_NOBODY mkdir "/tmp/cache/$name"
  for file in $(cd "/tmp/original/$name" && echo *); do
    printf '#!/bin/sh\\necho planted\\n' >"/tmp/cache/$name/$file"
    chmod 755 "/tmp/cache/$name/$file"
    chown ${NOBODY} "/tmp/cache/$name/$file"
  done
done
`;

if (!runsFromSource()) {
  twoUsersTest("a cache folder that another user filled is not started from", async () => {
    const said = await started(PLANT);
    assert.match(said, /\/tmp\/cache: cannot be created, or is not ours alone/);
    assert.doesNotMatch(said, /planted/);
  });

  twoUsersTest(
    "a cache folder of ours below another user's folder is not started from",
    async () => {
      const said = await started(`
mv /tmp/original /tmp/cache
chown ${NOBODY} /tmp/cache`);
      assert.match(said, /\/tmp\/cache: cannot be created, or is not ours alone/);
    },
  );

  twoUsersTest("a link of another user's to our cache folder is not followed", async () => {
    const said = await started("$AS_NOBODY ln -s original /tmp/cache");
    assert.match(said, /\/tmp\/cache: cannot be created, or is not ours alone/);
  });
}

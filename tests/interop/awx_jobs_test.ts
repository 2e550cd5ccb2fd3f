/**
 * What AWX says to its receptor and how it reads the answers (awx/main/tasks/receptor.py), between
 * a control node and an execution node configured as by AWX and its install bundle.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { makeCertificates } from "../support/certificates.ts";
import { ControlRefusal, ControlSession } from "../support/control_session.ts";
import { eventually } from "../support/eventually.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import { PacedJob } from "../support/paced_job.ts";
import { randomBytes } from "../support/payload.ts";
import { daemonCommand, type NodeKind } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/program.ts";
import { receptorctl } from "../support/receptorctl.ts";
import type { TestNode, UnitStatus } from "../support/test_node.ts";

/** `ansible-runner worker`, as far as AWX can tell. */
const RUNNER = `#!/bin/sh
shift
case $* in
  --worker-info) echo '{"mem_in_bytes": 4, "cpu_count": 2, "runner_version": "2.4.0", "uuid": "u"}' ;;
  cleanup*) printf '%s\\n' "$@" ;;
  *fail*) seq 1000; echo "the end" >&2; exit 2 ;;
  *) exec cat ;;
esac
`;

/** As `openssl genrsa` and `openssl rsa -pubout` write it. */
function pem(key: KeyObject): string {
  const type = key.type === "private" ? "pkcs8" : "spki";
  return key.export({ type, format: "pem" }).toString();
}

interface AwxMesh {
  control: TestNode;
  execution: TestNode;
  job: PacedJob;
}

async function awxMesh(mesh: Mesh, executionKind: NodeKind): Promise<AwxMesh> {
  const folder = await mesh.folder();
  const certificates = await makeCertificates(folder.path, ["awx", "exec"]);
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const signingKey = folder.join("work_private_key.pem");
  const verifyingKey = folder.join("work_public_key.pem");
  await Deno.writeTextFile(signingKey, pem(privateKey));
  await Deno.writeTextFile(verifyingKey, pem(publicKey));
  await Deno.writeTextFile(folder.join("ansible-runner"), RUNNER, { mode: 0o755 });
  const env = { PATH: `${folder.path}:${Deno.env.get("PATH")}` };
  const job = await PacedJob.create(await mesh.folder(), 4);

  const port = freePort();
  const execution = await mesh.node({
    kind: executionKind,
    id: "exec",
    env,
    control: { tls: "tls_server" },
    actions: [
      {
        "tls-server": {
          name: "tls_server",
          cert: certificates.cert("exec"),
          key: certificates.key("exec"),
          clientcas: certificates.ca,
          requireclientcert: true,
          mintls13: false,
        },
      },
      { "tcp-listener": { bindaddr: "127.0.0.1", port, tls: "tls_server" } },
      {
        "work-command": {
          worktype: "ansible-runner",
          command: "ansible-runner",
          params: "worker",
          allowruntimeparams: true,
          verifysignature: true,
        },
      },
      job.workType(),
      { "work-verification": { publickey: verifyingKey } },
    ],
  });
  const control = await mesh.node({
    kind: "ours",
    id: "awx",
    env,
    node: { firewallrules: [{ action: "reject", tonode: "awx", toservice: "control" }] },
    control: { permissions: "0660" },
    actions: [
      { "local-only": null },
      {
        "work-command": {
          worktype: "local",
          command: "ansible-runner",
          params: "worker",
          allowruntimeparams: true,
        },
      },
      { "work-signing": { privatekey: signingKey, tokenexpiration: "1m" } },
      {
        "tls-client": {
          name: "tlsclient",
          rootcas: certificates.ca,
          cert: certificates.cert("awx"),
          key: certificates.key("awx"),
          mintls13: false,
        },
      },
      { "tcp-peer": { address: `localhost:${port}`, tls: "tlsclient" } },
    ],
  });
  await control.waitForRoute("exec");
  return { control, execution, job };
}

/** As `ReceptorControl.submit_work` does it; resolves to the unit's id. */
async function submit(
  control: TestNode,
  fields: Record<string, string>,
  payload: string,
): Promise<string> {
  await using session = await control.session();
  await session.send({ command: "work", subcommand: "submit", ...fields });
  const [, created] = /^Work unit created with ID (.+). Send stdin data and EOF.$/.exec(
    (await session.readLine())!,
  )!;
  await session.write(new TextEncoder().encode(payload));
  await session.closeWrite();
  const { unitid, result, ...more } = JSON.parse((await session.readLine())!);
  assert.deepEqual([unitid, more], [created, {}]);
  assert.ok(["Job Started", "Job Submitted"].includes(result));
  return unitid;
}

const REMOTE = {
  node: "exec",
  tlsclient: "tlsclient",
  signwork: "true",
  worktype: "ansible-runner",
};

/** As `get_work_results`: half-closes as soon as the stream begins, and reads on to its end. */
async function results(control: TestNode, unit: string, startpos = 0): Promise<string> {
  await using session = await control.session();
  await session.send(`work results ${unit} ${startpos}`);
  assert.match((await session.readLine())!, /^Streaming results for work unit (.+)$/);
  await session.closeWrite();
  return new TextDecoder().decode(await session.readAll());
}

for (const kind of ["ours", "go"] as const) {
  const name = kind === "ours" ? "ours" : "Go";

  meshTest(`AWX finds its execution node (${name})`, { kinds: ["ours", kind] }, async (mesh) => {
    const { control, job } = await awxMesh(mesh, kind);
    using _job = job;
    await using session = await control.session();
    const advert = await eventually(async () => {
      const { Advertisements } = await session.json("status");
      return (Advertisements as Record<string, unknown>[])
        .find(({ NodeID, WorkCommands }) => NodeID === "exec" && WorkCommands);
    }, { what: "the advertisement of exec" });
    assert.equal(advert.ConnType, 2, "a stream with TLS: AWX adds tlsclient");
    assert.ok(Math.abs(Date.parse(String(advert.Time)) - Date.now()) < 120_000);
    assert.deepEqual(
      (advert.WorkCommands as { WorkType: string; Secure: boolean }[])
        .find(({ WorkType }) => WorkType === "ansible-runner"),
      { WorkType: "ansible-runner", Secure: true },
    );
    const { KnownConnectionCosts } = await session.json("status") as {
      KnownConnectionCosts: Record<string, Record<string, number>>;
    };
    assert.equal(KnownConnectionCosts.awx!.exec, 1);
    assert.equal(KnownConnectionCosts.exec!.awx, 1);
  });

  meshTest(
    `AWX checks the health of an execution node (${name}), and cleans up on it`,
    { kinds: ["ours", kind] },
    async (mesh) => {
      const { control, execution, job } = await awxMesh(mesh, kind);
      using _job = job;
      const commands: [string, RegExp][] = [
        ["--worker-info", /^\{"mem_in_bytes": 4, .*\}\n$/],
        [
          'cleanup --exclude-strings="a b" --file-pattern=/tmp/awx_*_* --grace-period=0',
          /^cleanup\n--exclude-strings=a b\n--file-pattern=\/tmp\/awx_\*_\*\n--grace-period=0\n$/,
        ],
      ];
      for (const [params, output] of commands) {
        const unit = await submit(control, { ...REMOTE, ttl: "20s", params }, "");
        assert.match(await results(control, unit), output);
        await using session = await control.session();
        await eventually(async () =>
          (await session.json(`work status ${unit}`)).StateName === "Succeeded"
        );
        assert.deepEqual(await session.json(`work release ${unit}`), { released: unit });
        await assert.rejects(
          session.json(`work status ${unit}`),
          new ControlRefusal(`unknown work unit ${unit}`),
        );
      }
      assert.deepEqual([await control.unitFolders(), await execution.unitFolders()], [[], []]);
    },
  );

  meshTest(
    `AWX runs a job on an execution node (${name}): its payload, its fields, its reaper`,
    { kinds: ["ours", kind] },
    async (mesh) => {
      const { control, execution, job } = await awxMesh(mesh, kind);
      using _job = job;
      // What `ansible-runner transmit` writes: base64 without a line break, and very long lines.
      const zip = randomBytes(1_000_000).toBase64();
      const payload = `{"kwargs": {"ident": 7}}\n{"zipfile": ${zip.length}}\n${zip}{"eof": true}\n`;
      const params = "--private-data-dir=/tmp/awx_7_x --delete";
      const unit = await submit(control, { ...REMOTE, params }, payload);
      assert.equal(await results(control, unit), payload);

      await using session = await control.session();
      const status = await eventually(async () => {
        const found = await session.json(`work status ${unit}`);
        return found.StateName === "Succeeded" ? found : undefined;
      });
      assert.deepEqual([status.Detail, status.StdoutSize], ["exit status 0", payload.length]);
      const listed = (await session.json("work list"))[unit] as { ExtraData: unknown };
      assert.deepEqual(listed, status);
      const extra = listed.ExtraData as {
        RemoteWorkType: string;
        RemoteParams: { params: string };
      };
      assert.equal(extra.RemoteWorkType, "ansible-runner");
      assert.equal(extra.RemoteParams.params, params);

      // The reaper: cancel and release of units whose job is done, on the connection of the list.
      assert.deepEqual(await session.json(`work cancel ${unit}`), { cancelled: unit });
      assert.deepEqual(await session.json(`work release ${unit}`), { released: unit });
      assert.deepEqual(await session.json("work list"), {});
      for (const subcommand of ["cancel", "release", "results", "status"]) {
        await assert.rejects(
          session.json(`work ${subcommand} ${unit}`),
          new ControlRefusal(`unknown work unit ${unit}`),
        );
      }
      assert.deepEqual(await execution.unitFolders(), []);
    },
  );

  meshTest(
    `AWX cancels a job on an execution node (${name}) while its output is read`,
    { kinds: ["ours", kind] },
    async (mesh) => {
      const { control, job } = await awxMesh(mesh, kind);
      using _job = job;
      const fields = { node: "exec", tlsclient: "tlsclient", worktype: "paced" };
      const unit = await submit(control, fields, "payload\n");
      await using reading = await control.session();
      await reading.send(`work results ${unit} 0`);
      assert.match((await reading.readLine())!, /^Streaming results/);
      await reading.closeWrite();
      // Half-closed, and still served as the job writes.
      await job.write(1);
      let size = 0;
      while (size < 1 << 20) size += (await reading.readSome())!.length;
      await using main = await control.session();
      assert.equal((await control.waitForUnit(unit, ["Running"])).StateName, "Running");
      assert.deepEqual(await main.json(`work cancel ${unit}`), { cancelled: unit });
      assert.equal(await reading.countAll(), 0, "the stream ends with the job");
      await job.gone();
      assert.equal((await control.waitForUnit(unit)).StateName, "Canceled");
      assert.deepEqual(await main.json(`work release ${unit}`), { released: unit });
    },
  );

  meshTest(
    `AWX shows the last of a failed job's output (${name})`,
    { kinds: ["ours", kind] },
    async (mesh) => {
      const { control, job } = await awxMesh(mesh, kind);
      using _job = job;
      const params = "--private-data-dir=/tmp/awx_fail";
      const local = { node: "localhost", worktype: "local", params };
      for (const fields of [local, { ...REMOTE, params }]) {
        const unit = await submit(control, fields, "{}\n");
        const { StateName, Detail, StdoutSize } = await control.waitForUnit(unit);
        assert.deepEqual([StateName, Detail], ["Failed", "exit status 2"]);
        const whole = await results(control, unit);
        assert.equal(StdoutSize, whole.length);
        assert.match(whole, /\n1000\nthe end\n$/);
        assert.equal(await results(control, unit, StdoutSize - 1_000), whole.slice(-1_000));
      }
    },
  );
}

meshTest(
  "the firewall rule of AWX keeps others from its control service",
  { kinds: ["ours"] },
  async (mesh) => {
    const { control, execution, job } = await awxMesh(mesh, "ours");
    using _job = job;
    await execution.waitForRoute("awx");
    await using session = await execution.session();
    await assert.rejects(
      session.command("connect awx control"),
      (error) => error instanceof ControlRefusal && /blocked by firewall/.test(error.message),
    );
    // Its own clients, and pings, are not affected.
    assert.equal((await session.json("ping awx")).Success, true);
    assert.equal((await control.json("ping exec")).Success, true);
  },
);

meshTest(
  "an unsigned submit, and one without TLS, are refused in words that AWX knows",
  { kinds: ["ours"] },
  async (mesh) => {
    const { control, job } = await awxMesh(mesh, "ours");
    using _job = job;
    const { signwork: _, ...unsigned } = REMOTE;
    const { node, worktype, ...params } = unsigned;
    await assert.rejects(
      control.submit({ node, worktype, params }),
      /could not verify signature: signature is empty/,
    );
    const [unit] = Object.values(await control.json("work list")) as UnitStatus[];
    assert.equal(unit!.StateName, "Failed");
    assert.match(unit!.Detail, /could not verify signature: signature is empty/);
    await assert.rejects(
      control.submit({ node: "exec", worktype: "any", params: { secret_kube_pod: "---\n" } }),
      new ControlRefusal("cannot send secrets over a non-TLS connection"),
    );
    await assert.rejects(
      control.submit({ node: "exec", worktype: "any", params: { tlsclient: "nope" } }),
      new ControlRefusal("unknown TLS config nope"),
    );
  },
);

meshTest(
  "a unit that our execution node has lost is named as AWX expects it, by a Go control node",
  { kinds: ["go", "ours"] },
  async (mesh) => {
    using job = await PacedJob.create(await mesh.folder(), 1);
    const { nodes } = await mesh.line(["go", "ours"], () => ({ actions: [job.workType()] }));
    const [control, execution] = [nodes[0]!, nodes[1]!];
    const unit = await control.submit({ node: execution.id, worktype: "paced" });
    await job.started();
    await execution.json(`work force-release ${unit}`);
    await assert.rejects(
      control.json(`work cancel ${unit}`),
      new ControlRefusal(`error cancelling remote unit:  unknown work unit ${unit}`),
    );
  },
);

Deno.test("the configuration that AWX writes loads unchanged, and reloads in any spelling", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "rt-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  await makeCertificates(folder, ["awx"]);
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  await Deno.writeTextFile(`${folder}/work_private_key.pem`, pem(privateKey));
  const configPath = `${folder}/receptor.conf`;
  const socket = `${folder}/receptor.sock`;
  // As AWX's dumper writes it, except for `datadir`: nodes of other tests use the default one.
  const written = `---
- local-only: null
- log-level: info
- node:
    datadir: ${folder}/data
    firewallrules:
    - action: reject
      tonode: awx
      toservice: control
- control-service:
    filename: ${socket}
    permissions: '0660'
    service: control
- work-command:
    allowruntimeparams: true
    command: ansible-runner
    params: worker
    worktype: local
- work-signing:
    privatekey: ${folder}/work_private_key.pem
    tokenexpiration: 1m
- tls-client:
    cert: ${folder}/awx.crt
    key: ${folder}/awx.key
    mintls13: false
    name: tlsclient
    rootcas: ${folder}/ca.crt
    skipreceptornamescheck: true
`;
  await Deno.writeTextFile(configPath, written);
  await using node = Program.start([...daemonCommand("ours"), "--config", configPath]);
  await node.waitForOutput(/Initialization complete/);
  assert.equal(Deno.lstatSync(socket).mode! & 0o777, 0o660);
  await using session = await ControlSession.open({ path: socket });
  assert.equal(session.node, Deno.hostname());
  assert.deepEqual(await session.json("reload"), { Success: true });

  const port = freePort();
  const respelled = written
    .replace("permissions: '0660'", 'permissions: "0660"')
    .replace(/ {4}name: tlsclient\n/, "")
    .replace("    mintls13: false\n", "    name: 'tlsclient'\n    mintls13: no\n") +
    `- tcp-peer:\n    address: 127.0.0.1:${port}\n    tls: tlsclient\n`;
  await Deno.writeTextFile(configPath, respelled);
  assert.deepEqual(await session.json("reload"), { Success: true });
  const reload = await receptorctl(["reload"], { socket });
  assert.equal(reload.code, 0);

  await Deno.writeTextFile(configPath, respelled.replace("worktype: local", "worktype: other"));
  const changed = await session.json("reload");
  assert.equal(changed.Success, false);
  assert.match(String(changed.Error), /ERRORCODE 3/);
  await Deno.writeTextFile(configPath, "- [broken");
  assert.match(String((await session.json("reload")).Error), /ERRORCODE 4/);
  assert.ok(node.running);
});

import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import type { KubeApi } from "../../../../lib/workceptor/kubernetes/api/kube_api.ts";
import { KubeError, LOCAL_SETUP } from "../../../../lib/workceptor/kubernetes/api/kube_error.ts";
import { inClusterContext } from "../../../../lib/workceptor/kubernetes/api/in_cluster.ts";
import { parseCredential } from "../../../../lib/workceptor/kubernetes/api/exec_plugin.ts";
import { eventually } from "../../../support/eventually.ts";
import { FakeKube } from "../../../support/kube/fake_kube.ts";
import { TempFolder } from "../../../support/temp_folder.ts";
import { openClient, signal } from "./_client.ts";

const V1 = "client.authentication.k8s.io/v1";

/** A client whose kubeconfig is in a file of `folder`. */
async function clientIn(folder: TempFolder, kube: FakeKube, user: unknown): Promise<KubeApi> {
  const path = folder.join("config");
  await Deno.writeTextFile(path, kube.kubeconfig({ user }));
  return await openClient({ kind: "kubeconfig", path });
}

function authorizations({ requests }: FakeKube): (string | undefined)[] {
  return requests.map(({ headers }) => headers.get("authorization"));
}

async function plugin(folder: TempFolder, script: string): Promise<unknown> {
  const path = folder.join("plugin");
  await Deno.writeTextFile(path, `#!/bin/sh\n${script}\n`);
  await Deno.chmod(path, 0o755);
  return { exec: { apiVersion: V1, command: "./plugin", interactiveMode: "Never" } };
}

/** A shell command that prints a credential. */
function printed(status: string): string {
  return `echo '{"apiVersion":"${V1}","kind":"ExecCredential","status":{'"${status}"'}}'`;
}

Deno.test("a token in a file is read again when it has been replaced", async () => {
  await using folder = await TempFolder.create();
  await using kube = new FakeKube({ token: "first" });
  await Deno.writeTextFile(folder.join("token"), "first\n");
  await using api = await clientIn(folder, kube, { tokenFile: "token" });
  await api.serverVersion(signal);
  kube.token = "second";
  await Deno.writeTextFile(folder.join("token"), "second\n");
  await api.serverVersion(signal);
  deepEqual(authorizations(kube), ["Bearer first", "Bearer second"]);
});

Deno.test("basic authentication and impersonation are sent", async () => {
  await using folder = await TempFolder.create();
  await using kube = new FakeKube();
  const user = { username: "jo", password: "s:ö", as: "jane" };
  await using api = await clientIn(folder, kube, user);
  await api.serverVersion(signal);
  const { headers } = kube.requests[0]!;
  equal(headers.get("authorization"), `Basic ${new TextEncoder().encode("jo:s:ö").toBase64()}`);
  equal(headers.get("impersonate-user"), "jane");
});

Deno.test("credentials that are refused are renewed once, then it is an error", async () => {
  await using folder = await TempFolder.create();
  await using kube = new FakeKube({ token: "new" });
  await using api = await clientIn(folder, kube, { token: "old" });
  const error = await api.serverVersion(signal).catch((error) => error);
  deepEqual([error.code, error.message], [401, "Unauthorized"]);
  equal(kube.requests.length, 2);
});

Deno.test("a token file that is missing, empty or no token is an error that names it", async () => {
  await using folder = await TempFolder.create();
  await using kube = new FakeKube();
  await using api = await clientIn(folder, kube, { tokenFile: "token" });
  const fails = async (message: RegExp) => {
    const error = await api.serverVersion(signal).catch((error) => error);
    ok(error instanceof KubeError);
    equal(error.reason, LOCAL_SETUP);
    ok(message.test(error.message), error.message);
  };
  await fails(/cannot read .*token: no such file or directory/);
  await Deno.writeTextFile(folder.join("token"), "\n");
  await fails(/there is no token in .*token/);
  await Deno.writeTextFile(folder.join("token"), "s3cret\r\nX-Evil: 1");
  await fails(/^what is in \S*token is not a token$/);
  equal(kube.requests.length, 0);
});

Deno.test("an exec plug-in runs once for many requests, until the server refuses its token", async () => {
  await using folder = await TempFolder.create();
  await using kube = new FakeKube({ token: "t1" });
  const user = await plugin(
    folder,
    `cd "$(dirname "$0")"; echo x >>runs; ${printed(`\\"token\\":\\"t$(wc -l <runs)\\"`)}`,
  );
  await using api = await clientIn(folder, kube, user);
  await Promise.all(Array.from({ length: 5 }, () => api.serverVersion(signal)));
  deepEqual(new Set(authorizations(kube)), new Set(["Bearer t1"]));
  kube.token = "t2";
  await Promise.all(Array.from({ length: 5 }, () => api.serverVersion(signal)));
  equal((await Deno.readTextFile(folder.join("runs"))).length, 4);
});

Deno.test("an exec plug-in runs again when its token expires", async () => {
  await using folder = await TempFolder.create();
  await using kube = new FakeKube();
  const soon = '\\"token\\":\\"t\\",\\"expirationTimestamp\\":\\"2001-01-01T00:00:00Z\\"';
  const user = await plugin(
    folder,
    `cd "$(dirname "$0")"; echo x >>runs; ${printed(soon)}`,
  );
  await using api = await clientIn(folder, kube, user);
  await api.serverVersion(signal);
  await api.serverVersion(signal);
  equal((await Deno.readTextFile(folder.join("runs"))).length, 4);
});

Deno.test("an exec plug-in is told of the cluster if it asks, and gets its environment", async () => {
  await using folder = await TempFolder.create();
  await using kube = new FakeKube();
  const { exec } = await plugin(
    folder,
    `cd "$(dirname "$0")"; echo "$KUBERNETES_EXEC_INFO" >info; echo "$1 $MINE" >args; ` +
      printed('\\"token\\":\\"t\\"'),
  ) as { exec: object };
  await using api = await clientIn(folder, kube, {
    exec: {
      ...exec,
      args: ["login"],
      env: [{ name: "MINE", value: "yes" }],
      provideClusterInfo: true,
    },
  });
  await api.serverVersion(signal);
  equal(await Deno.readTextFile(folder.join("args")), "login yes\n");
  deepEqual(JSON.parse(await Deno.readTextFile(folder.join("info"))), {
    apiVersion: V1,
    kind: "ExecCredential",
    spec: { interactive: false, cluster: { server: kube.url, config: null } },
  });
});

Deno.test("an exec plug-in that fails is named, with what it says", async () => {
  await using folder = await TempFolder.create();
  await using kube = new FakeKube();
  const user = await plugin(folder, "echo 'log in first' >&2; exit 3");
  await using api = await clientIn(folder, kube, user);
  await rejects(
    api.serverVersion(signal),
    /exec plug-in \S*plugin failed with exit code 3: log in/,
  );
  const missing = { exec: { apiVersion: V1, command: "no-such-plug-in", installHint: "get it" } };
  await using other = await clientIn(folder, kube, missing);
  await rejects(
    other.serverVersion(signal),
    /cannot run the exec plug-in no-such-plug-in: .*get it/,
  );
});

Deno.test("an exec plug-in that hangs is stopped with the last request that waits for it", async () => {
  await using folder = await TempFolder.create();
  await using kube = new FakeKube();
  const user = await plugin(folder, 'cd "$(dirname "$0")"; touch began; exec sleep 600');
  await using api = await clientIn(folder, kube, user);
  const giveUp = new AbortController();
  const asked = api.serverVersion(giveUp.signal);
  asked.catch(() => {});
  await eventually(() => Deno.stat(folder.join("began")));
  giveUp.abort(new Error("enough"));
  await rejects(asked, /enough/);
});

const CREDENTIALS: readonly (readonly [string, unknown, RegExp])[] = [
  ["text", "token", /is not JSON/],
  ["another version", { kind: "ExecCredential", apiVersion: "x" }, /of x$/],
  ["nothing", { kind: "ExecCredential", apiVersion: V1 }, /neither a token nor a client cert/],
  [
    "a certificate without a key",
    { kind: "ExecCredential", apiVersion: V1, status: { clientCertificateData: "c" } },
    /only one of clientCertificateData and clientKeyData/,
  ],
  [
    "a wrong time",
    {
      kind: "ExecCredential",
      apiVersion: V1,
      status: { token: "s3cret", expirationTimestamp: "later" },
    },
    /not a time in RFC 3339/,
  ],
];

for (const [what, credential, message] of CREDENTIALS) {
  Deno.test(`an exec plug-in that prints ${what} is refused, without showing it`, () => {
    const text = typeof credential === "string" ? credential : JSON.stringify(credential);
    const parse = () => parseCredential(text, V1, "the plug-in");
    try {
      parse();
    } catch (error) {
      ok(message.test((error as Error).message), (error as Error).message);
      equal((error as Error).message.includes("s3cret"), false);
      return;
    }
    throw new Error("it was accepted");
  });
}

Deno.test("in a pod, the service account is the environment's server with the mounted files", async () => {
  await using folder = await TempFolder.create();
  await Deno.writeTextFile(folder.join("namespace"), "jobs\n");
  const environment: Record<string, string> = {
    KUBERNETES_SERVICE_HOST: "fd00::1",
    KUBERNETES_SERVICE_PORT: "443",
  };
  const context = await inClusterContext((name) => environment[name], folder.path);
  equal(context.cluster.server, "https://[fd00::1]:443");
  equal(context.namespace, "jobs");
  deepEqual(context.user.token, { path: folder.join("token") });
  await rejects(inClusterContext(() => undefined, folder.path), /KUBERNETES_SERVICE_PORT must be/);
});

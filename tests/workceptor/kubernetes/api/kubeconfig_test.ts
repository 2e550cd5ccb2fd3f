import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import fc from "fast-check";
import {
  currentContext,
  type KubeContext,
  parseKubeconfig,
} from "../../../../lib/workceptor/kubernetes/api/kubeconfig.ts";
import { loadKubeconfig } from "../../../../lib/workceptor/kubernetes/api/kubeconfig_files.ts";
import { TempFolder } from "../../../support/temp_folder.ts";

async function read(text: string, trusted = true): Promise<KubeContext> {
  const source = trusted ? "/etc/kube/config" : "the kubeconfig of the work";
  return currentContext(await parseKubeconfig({ text, source, trusted }), source);
}

function config(user: string, cluster = "{server: https://k:6443}"): string {
  return `
current-context: c
contexts: [{name: c, context: {cluster: k, user: u, namespace: jobs}}]
clusters: [{name: k, cluster: ${cluster}}]
users: [{name: u, user: ${user}}]
`;
}

Deno.test("a kubeconfig gives the cluster, user and namespace of its current context", async () => {
  const context = await read(`
apiVersion: v1
kind: Config
preferences: {}
current-context: second
contexts:
- {name: first, context: {cluster: a, user: a}}
- {name: second, context: {cluster: b, user: b, namespace: jobs}}
clusters:
- {name: a, cluster: {server: "https://a"}}
- name: b
  cluster:
    server: https://b:6443
    certificate-authority: ca.crt
    tls-server-name: kubernetes
    proxy-url: socks5://proxy:1080
users:
- {name: a, user: {}}
- {name: b, user: {client-certificate-data: Y2VydA==, client-key: /keys/b.key}}
`);
  equal(context.name, "second");
  equal(context.namespace, "jobs");
  deepEqual(context.cluster, {
    server: "https://b:6443",
    ca: { path: "/etc/kube/ca.crt" },
    tlsServerName: "kubernetes",
    insecure: false,
    proxyUrl: "socks5://proxy:1080",
    execConfig: undefined,
  });
  deepEqual(context.user.certificate, {
    cert: { text: "cert", what: "client-certificate-data of user b in /etc/kube/config" },
    key: { path: "/keys/b.key" },
  });
});

Deno.test("data in a kubeconfig wins over a file, and a token file over a token", async () => {
  const { cluster, user } = await read(config(
    "{token: old, tokenFile: token}",
    "{server: https://k, certificate-authority: x, certificate-authority-data: Y2E=}",
  ));
  deepEqual(cluster.ca, {
    text: "ca",
    what: "certificate-authority-data of cluster k in /etc/kube/config",
  });
  deepEqual(user.token, { path: "/etc/kube/token" });
});

Deno.test("an exec plug-in is found beside its kubeconfig, or in PATH", async () => {
  const exec = (command: string) =>
    config(`{exec: {apiVersion: client.authentication.k8s.io/v1, command: ${command}, args: null,
      env: [{name: A, value: b}], interactiveMode: Never, provideClusterInfo: true}}`);
  deepEqual((await read(exec("./get-token"))).user.exec, {
    apiVersion: "client.authentication.k8s.io/v1",
    command: "/etc/kube/get-token",
    args: [],
    env: [["A", "b"]],
    installHint: undefined,
    provideClusterInfo: true,
  });
  equal((await read(exec("aws"))).user.exec?.command, "aws");
});

Deno.test("a kubeconfig can ask to act as somebody else", async () => {
  const { user } = await read(config(
    `{token: t, as: jane, as-groups: [dev, ops], as-user-extra: {a/b: [c]}}`,
  ));
  deepEqual(user.impersonate, [
    ["Impersonate-User", "jane"],
    ["Impersonate-Group", "dev"],
    ["Impersonate-Group", "ops"],
    ["Impersonate-Extra-a%2Fb", "c"],
  ]);
});

const MISTAKES: readonly (readonly [string, string, RegExp])[] = [
  ["nothing", "", /has no current-context: it has no contexts at all/],
  ["no context chosen", "contexts: [{name: a}, {name: b}]", /its contexts are a, b/],
  ["an unknown context", "current-context: x", /has no context x/],
  ["broken YAML", "a: [", /\/etc\/kube\/config, line \d+: not YAML/],
  ["another kind of object", "kind: Pod", /is of kind Pod: expected a kubeconfig/],
  ["a list", "[1]", /is not a map of fields/],
  ["a server missing", config("{}", "{}"), /cluster k in \/etc\/kube\/config has no server/],
  ["a number as token", config("{token: 12}"), /token of user u .* is not text: put it in quotes/],
  ["half a certificate", config("{client-certificate-data: aa==}"), /only one of client-cert/],
  [
    "data that is not base64",
    config("{}", "{server: s, certificate-authority-data: '!'}"),
    /base64/,
  ],
  [
    "a CA that is not used",
    config("{}", "{server: s, certificate-authority: x, insecure-skip-tls-verify: true}"),
    /one contradicts the other/,
  ],
  ["a token and a password", config("{token: a, username: b}"), /both a token and a username/],
  ["an auth-provider", config("{auth-provider: {name: gcp}}"), /gave up in 1\.26/],
  ["an old plug-in", config("{exec: {apiVersion: v0, command: x}}"), /has apiVersion v0: expected/],
  [
    "a plug-in for a terminal",
    config(
      "{exec: {apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: Always}}",
    ),
    /needs a terminal/,
  ],
  ["the same name twice", "users: [{name: a}, {name: a}]", /there twice: a/],
];

for (const [what, text, message] of MISTAKES) {
  Deno.test(`a kubeconfig with ${what} is refused with the reason`, async () => {
    await rejects(read(text), message);
  });
}

const FIELDS = [
  ...["server", "certificate-authority", "certificate-authority-data", "tls-server-name"],
  ...["insecure-skip-tls-verify", "proxy-url", "extensions", "token", "tokenFile", "username"],
  ...["client-certificate", "client-key-data", "exec", "as", "as-groups", "as-user-extra"],
  ...["apiVersion", "command", "args", "env", "__proto__", "constructor"],
];

Deno.test("whatever a kubeconfig holds, it is used or refused with a reason", async () => {
  const { any } = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom(null, true, 1, "", "text", "a/b", "Y2E=", "client.authentication.k8s.io/v1"),
      fc.array(tie("any"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...FIELDS), tie("any"), { maxKeys: 5 }),
    ),
  }));
  await fc.assert(
    fc.asyncProperty(any, any, fc.boolean(), async (user, cluster, trusted) => {
      const text = config(JSON.stringify(user), JSON.stringify(cluster));
      const result = await read(text, trusted).catch((error) => error);
      ok(result instanceof SyntaxError || result.name === "c", String(result));
    }),
    { numRuns: 500 },
  );
});

Deno.test("an error in a kubeconfig does not show what is in it", async () => {
  const error = await read("users: [{name: a, user: {token: s3cret}}\n: ]").catch((e) => e);
  equal(String(error).includes("s3cret"), false);
});

Deno.test("a kubeconfig that comes with the work names neither files nor programs", async () => {
  const plugin = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: x}}";
  for (
    const [user, cluster] of [
      ["{tokenFile: /etc/shadow}"],
      [plugin],
      ["{client-certificate: a, client-key: b}"],
      ["{}", "{server: https://k, certificate-authority: /ca.crt}"],
    ] as const
  ) {
    await rejects(
      read(config(user, cluster), false),
      /which a kubeconfig that comes with the work/,
    );
  }
  equal((await read(config("{token: t}"), false)).namespace, "jobs");
});

Deno.test("the files of KUBECONFIG are merged, and the first to have an entry wins", async () => {
  await using folder = await TempFolder.create();
  const write = (name: string, text: string) => Deno.writeTextFile(folder.join(name), text);
  await Deno.mkdir(folder.join("sub"));
  await write("a", "contexts: [{name: c, context: {cluster: k, user: u, namespace: first}}]");
  await write(
    "sub/b",
    `current-context: c
contexts: [{name: c, context: {cluster: other, user: other}}]
clusters: [{name: k, cluster: {server: https://k, certificate-authority: ca.crt}}]
users: [{name: u, user: {tokenFile: token}}]`,
  );
  const files = [folder.join("missing"), folder.join("a"), "", folder.join("sub/b")].join(":");
  const context = await loadKubeconfig(
    undefined,
    (name) => name === "KUBECONFIG" ? files : undefined,
  );
  equal(context.namespace, "first");
  deepEqual(context.cluster.ca, { path: folder.join("sub/ca.crt") });
  deepEqual(context.user.token, { path: folder.join("sub/token") });
});

Deno.test("without KUBECONFIG it is ~/.kube/config", async () => {
  await using folder = await TempFolder.create();
  const environment = (name: string) => name === "HOME" ? folder.path : undefined;
  await rejects(loadKubeconfig(undefined, environment), /\.kube\/config does not exist/);
  await Deno.mkdir(folder.join(".kube"));
  await Deno.writeTextFile(folder.join(".kube/config"), config("{}"));
  equal((await loadKubeconfig("", environment)).namespace, "jobs");
  await rejects(
    loadKubeconfig(folder.join("nowhere"), environment),
    /cannot read kubeconfig .*nowhere: no such file or directory/,
  );
});

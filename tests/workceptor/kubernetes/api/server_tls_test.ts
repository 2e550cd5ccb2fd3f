import { deepEqual, equal, match, ok } from "node:assert/strict";
import { KubeError, LOCAL_SETUP } from "../../../../lib/workceptor/kubernetes/api/kube_error.ts";
import { proxyUrl, serverUrl } from "../../../../lib/workceptor/kubernetes/api/server_url.ts";
import { acceptTls, type LinkServerTls } from "../../../../lib/backends/tls.ts";
import { bridge } from "../../../../lib/base/bridge.ts";
import { serverTls } from "../../../backends/test_tls.ts";
import { type Issued, makeCertificate } from "../../../pki/_certificates.ts";
import { FakeKube } from "../../../support/kube/fake_kube.ts";
import { TempFolder } from "../../../support/temp_folder.ts";
import { clientOf, openClient, signal, type TestClientOptions } from "./_client.ts";

interface Authority {
  readonly ca: Issued;
  readonly server: Issued;
  readonly client: Issued;
}

/** A server whose certificate is for the name `kubernetes` and an address that is not its own. */
async function authority(dnsNames = ["kubernetes"]): Promise<Authority> {
  const now = Date.now();
  const ca = await makeCertificate({ commonName: "test CA", ca: true, now });
  const issue = (commonName: string, names = {}) =>
    makeCertificate({ commonName, issuer: ca, now, ...names });
  return {
    ca,
    server: await issue("server", { dnsNames, ipAddresses: ["192.0.2.1"] }),
    client: await issue("client"),
  };
}

function base64(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}

async function failure(kube: FakeKube, options: TestClientOptions): Promise<KubeError> {
  await using api = await clientOf(kube, options);
  const error = await api.serverVersion(signal).catch((error) => error);
  ok(error instanceof KubeError);
  return error;
}

Deno.test("the server's certificate must be of the authority, and for its name", async () => {
  const { ca, server } = await authority();
  const other = await makeCertificate({ commonName: "other CA", ca: true, now: Date.now() });
  const tls = serverTls({ certificate: server }, { wantsClientCertificate: false });
  await using kube = new FakeKube({ tls });
  const authorityOf = ({ cert }: Issued) => ({ "certificate-authority-data": base64(cert) });
  const wrongName = await failure(kube, { cluster: authorityOf(ca) });
  match(wrongName.message, /certificate is valid for kubernetes, 192\.0\.2\.1, not 127\.0\.0\.1/);
  equal(wrongName.reason, LOCAL_SETUP);
  const named = { "tls-server-name": "kubernetes" };
  const unknown = await failure(kube, { cluster: { ...authorityOf(other), ...named } });
  match(unknown.message, /unknown authority/);
  const cluster = { ...authorityOf(ca), ...named };
  {
    await using api = await clientOf(kube, { cluster });
    equal(await api.serverVersion(signal), "v1.30.14");
  }
  await using insecure = await clientOf(kube, { cluster: { "insecure-skip-tls-verify": true } });
  equal(await insecure.serverVersion(signal), "v1.30.14");
});

Deno.test("a client certificate is shown, and read again for each connection", async () => {
  const { ca, server, client } = await authority();
  await using folder = await TempFolder.create();
  const tls = serverTls({ certificate: server });
  await using kube = new FakeKube({ tls });
  const write = async (shown: Issued) => {
    await Deno.writeTextFile(folder.join("cert"), shown.cert);
    await Deno.writeTextFile(folder.join("key"), shown.key);
  };
  await Deno.writeTextFile(folder.join("ca"), ca.cert);
  await write(client);
  const user = { "client-certificate": "cert", "client-key": "key" };
  const cluster = { "certificate-authority": "ca", "tls-server-name": "kubernetes" };
  const path = folder.join("config");
  await Deno.writeTextFile(path, kube.kubeconfig({ user, cluster }));
  await using api = await openClient({ kind: "kubeconfig", path });
  await api.serverVersion(signal);
  const renewed = await makeCertificate({ commonName: "renewed", issuer: ca, now: Date.now() });
  await write(renewed);
  kube.cutAll();
  await api.serverVersion(signal);
  deepEqual(tls.chains.map(([leaf]) => leaf!.toHex()), [client, renewed].map((x) => x.der.toHex()));
  await Deno.writeTextFile(folder.join("key"), client.key);
  kube.cutAll();
  const error = await api.serverVersion(signal).catch((error) => error);
  match(error.message, /private key does not match public key: key=.*key is not the key of/);
});

Deno.test("attach and log go over TLS too", async () => {
  const { ca, server } = await authority();
  const tls = serverTls({ certificate: server }, { wantsClientCertificate: false });
  await using kube = new FakeKube({ tls });
  const cluster = {
    "certificate-authority-data": base64(ca.cert),
    "tls-server-name": "kubernetes",
  };
  await using api = await clientOf(kube, { cluster });
  await api.createPod("jobs", { metadata: { name: "a" } }, signal);
  await using session = await api.attach(
    "jobs",
    "a",
    { container: "worker", stdin: true },
    signal,
  );
  const stdin = session.stdin.getWriter();
  await stdin.write(new Uint8Array(100_000));
  await stdin.close();
  const pod = kube.pods.get("jobs/a")!;
  await pod.stdinEnd.promise;
  equal(pod.stdin.reduce((sum, { length }) => sum + length, 0), 100_000);
});

Deno.test("what a plug-in prints can be a client certificate", async () => {
  const { ca, server, client } = await authority();
  await using folder = await TempFolder.create();
  const tls = serverTls({ certificate: server });
  await using kube = new FakeKube({ tls });
  const apiVersion = "client.authentication.k8s.io/v1beta1";
  const status = { clientCertificateData: client.cert, clientKeyData: client.key };
  await Deno.writeTextFile(
    folder.join("credential"),
    JSON.stringify({ apiVersion, kind: "ExecCredential", status }),
  );
  const user = { exec: { apiVersion, command: "cat", args: [folder.join("credential")] } };
  const cluster = {
    "certificate-authority-data": base64(ca.cert),
    "tls-server-name": "kubernetes",
  };
  const path = folder.join("config");
  await Deno.writeTextFile(path, kube.kubeconfig({ user, cluster }));
  await using api = await openClient({ kind: "kubeconfig", path });
  await api.serverVersion(signal);
  equal(tls.chains[0]![0]!.toHex(), client.der.toHex());
});

/** An HTTP proxy, perhaps behind TLS, that carries one CONNECT to `target`. */
async function serveProxy(
  listener: Deno.TcpListener,
  target: string,
  tls?: LinkServerTls,
): Promise<string> {
  const accepted = await listener.accept();
  const near = tls === undefined
    ? accepted
    : (await acceptTls(accepted, tls, { from: "client" })).conn;
  const buffer = new Uint8Array(4096);
  const count = await near.read(buffer);
  await near.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\n"));
  const [hostname, port] = target.split(":");
  const far = await Deno.connect({ hostname: hostname!, port: Number(port) });
  await bridge(near, far);
  return new TextDecoder().decode(buffer.subarray(0, count!));
}

for (const from of ["proxy-url", "HTTPS_PROXY"] as const) {
  Deno.test(`the proxy of ${from} is used, and TLS is with the server behind it`, async () => {
    const { ca, server } = await authority(["kube.example"]);
    const tls = serverTls({ certificate: server }, { wantsClientCertificate: false });
    await using kube = new FakeKube({ tls });
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const served = serveProxy(listener, kube.address);
    const proxy = `http://127.0.0.1:${listener.addr.port}`;
    const cluster = {
      server: "https://kube.example:6443/base/",
      "certificate-authority-data": base64(ca.cert),
      ...(from === "proxy-url" ? { "proxy-url": proxy } : {}),
    };
    // NO_PROXY says nothing about proxy-url.
    const environment: Record<string, string> = from === "proxy-url"
      ? { NO_PROXY: "*" }
      : { HTTPS_PROXY: proxy };
    {
      await using api = await clientOf(kube, { cluster, environment });
      kube.next(/^GET \/base\/version$/, (_, answer) => answer.json(200, { gitVersion: "v1" }));
      equal(await api.serverVersion(signal), "v1");
    }
    match(await served, /^CONNECT kube\.example:6443 HTTP\/1\.1\r\n/);
  });
}

Deno.test("a proxy behind TLS must be one that the machine trusts", async () => {
  const { ca, server } = await authority(["kube.example"]);
  const now = Date.now();
  const proxyCa = await makeCertificate({ commonName: "proxy CA", ca: true, now });
  const names = { dnsNames: ["localhost"] };
  const certificate = await makeCertificate({
    commonName: "proxy",
    issuer: proxyCa,
    now,
    ...names,
  });
  await using folder = await TempFolder.create();
  await Deno.writeTextFile(folder.join("trusted"), proxyCa.cert);
  const tls = serverTls({ certificate: server }, { wantsClientCertificate: false });
  await using kube = new FakeKube({ tls });
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const proxyTls = serverTls({ certificate }, { wantsClientCertificate: false });
  const cluster = {
    server: "https://kube.example",
    "certificate-authority-data": base64(ca.cert),
    "proxy-url": `https://localhost:${listener.addr.port}`,
  };
  const environment = { SSL_CERT_FILE: folder.join("trusted") };
  const served = serveProxy(listener, kube.address, proxyTls);
  {
    await using api = await clientOf(kube, { cluster, environment });
    equal(await api.serverVersion(signal), "v1.30.14");
  }
  match(await served, /^CONNECT kube\.example:443 HTTP\/1\.1\r\n/);
  await Deno.writeTextFile(folder.join("trusted"), ca.cert);
  const refused = serveProxy(listener, kube.address, proxyTls).catch(() => {});
  const error = await failure(kube, { cluster, environment });
  match(error.message, /through the proxy localhost:\d+: .*unknown authority/);
  await refused;
});

Deno.test("a server may have no scheme, and no user name", () => {
  const cluster = {
    ca: undefined,
    tlsServerName: undefined,
    insecure: false,
    proxyUrl: undefined,
    execConfig: undefined,
  };
  const url = (server: string, hasCertificate = false) =>
    serverUrl({ ...cluster, server }, hasCertificate).href;
  equal(url("kube:6443"), "http://kube:6443/");
  equal(url("kube:6443", true), "https://kube:6443/");
  equal(url("https://kube/k8s/clusters/c-1/"), "https://kube/k8s/clusters/c-1");
  for (const wrong of ["ftp://kube", "https://", "https://jo:s3cret@kube"]) {
    try {
      url(wrong);
      throw new Error("it was accepted");
    } catch (error) {
      match((error as Error).message, /is not the URL of an API server/);
      equal((error as Error).message.includes("s3cret"), false);
    }
  }
  const proxy = (text: string) => proxyUrl({ ...cluster, server: "", proxyUrl: text })?.href;
  equal(proxy("socks5://p:1080"), "socks5://p:1080");
  for (const wrong of ["p:1080", "ftp://p"]) {
    try {
      proxy(wrong);
      throw new Error("it was accepted");
    } catch (error) {
      match((error as Error).message, /not a URL of type http, https or socks5/);
    }
  }
});

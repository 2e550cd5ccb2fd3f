/** `tls://` control sockets, with certificates that `openssl` makes for the test. */
import assert from "node:assert/strict";
import { unixCaller } from "../../lib/control/accept_loop.ts";
import { ControlServer } from "../../lib/control/server.ts";
import { fakeDeps } from "../control/fakes.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { runMain } from "./run_main.ts";

const hasOpenssl = await new Deno.Command("openssl", { args: ["version"], stdout: "null" })
  .output().then(({ success }) => success, () => false);

async function openssl(folder: TempFolder, args: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", {
    args: args.split(" "),
    cwd: folder.path,
    stdout: "null",
    stderr: "piped",
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

/** A CA, and a certificate from it for `localhost`. */
async function makeCertificates(folder: TempFolder): Promise<void> {
  const key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
  await openssl(folder, `req -x509 ${key} -keyout ca.key -out ca.pem -days 2 -subj /CN=ca`);
  await openssl(folder, `req ${key} -keyout s.key -out s.csr -subj /CN=s`);
  await Deno.writeTextFile(
    folder.join("ext"),
    "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n",
  );
  await openssl(
    folder,
    "x509 -req -in s.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out s.pem -days 2 -extfile ext",
  );
}

Deno.test({
  name: `receptorctl speaks TLS to a control service${hasOpenssl ? "" : " (skipped: no openssl)"}`,
  ignore: !hasOpenssl,
  async fn() {
    await using folder = await TempFolder.create();
    await makeCertificates(folder);
    using listener = Deno.listenTls({
      hostname: "127.0.0.1",
      port: 0,
      cert: await Deno.readTextFile(folder.join("s.pem")),
      key: await Deno.readTextFile(folder.join("s.key")),
    });
    const { port } = listener.addr as Deno.NetAddr;
    const server = new ControlServer(fakeDeps());
    const sessions: Promise<void>[] = [];
    const serving = (async () => {
      for await (const conn of listener) {
        sessions.push(server.serve(conn, unixCaller(), new AbortController().signal));
      }
    })();
    const run = (host: string, words: string) =>
      runMain(["--socket", `tls://${host}:${port}`, ...words.split(" ")]);
    const ca = `--rootcas ${folder.join("ca.pem")}`;

    // The payload's end is a half-close in TLS too.
    const submitted = await run("localhost", `${ca} work submit cat -l hello -f`);
    assert.deepEqual([submitted.code, submitted.stdout, submitted.stderr], [0, "hello\n", ""]);

    const wrongName = await run("127.0.0.1", `${ca} version`);
    assert.equal(wrongName.code, 1);
    assert.match(
      wrongName.stderr,
      /Could not connect to host 127\.0\.0\.1 port \d+: .*not valid for/,
    );
    assert.equal((await run("127.0.0.1", `${ca} --insecureskipverify yes version`)).code, 0);
    assert.match(
      (await run("localhost", "--insecureskipverify yes version")).stderr,
      /UnknownIssuer/,
    );

    const [cert, key] = [folder.join("s.pem"), folder.join("ca.key")];
    const mismatch = await run("localhost", `${ca} --cert ${cert} --key ${key} version`);
    assert.ok(
      mismatch.stderr.includes(`${key} is not the private key of ${cert}`),
      mismatch.stderr,
    );

    const config = folder.join("receptor.conf");
    const tlsClient = {
      name: "t",
      rootcas: folder.join("ca.pem"),
      cert: folder.join("s.pem"),
      key: folder.join("s.key"),
    };
    await Deno.writeTextFile(config, `- ${JSON.stringify({ "tls-client": tlsClient })}\n`);
    assert.equal((await run("localhost", `-c ${config} --tls-client t version`)).code, 0);
    await Deno.writeTextFile(config, `tls-clients: [${JSON.stringify(tlsClient)}]\n`);
    assert.equal((await run("localhost", `-c ${config} --tls-client t version`)).code, 0);

    listener.close();
    await serving.catch(() => {});
    await Promise.all(sessions);
  },
});

/** Who can have work signed, with real certificates on TCP and over the mesh. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { makeCertificates } from "../support/certificates.ts";
import { meshTest } from "../support/mesh.ts";
import { freePort } from "../support/ports.ts";

const SUBMIT = `${
  JSON.stringify({
    command: "work",
    subcommand: "submit",
    node: "far",
    worktype: "cat",
    signwork: "true",
  })
}\n`;

/** The reply to a submission on a TLS port of the controller, with the certificate of `name`. */
async function submitOverTcp(
  port: number,
  tls: Awaited<ReturnType<typeof makeCertificates>>,
  name: string,
): Promise<string> {
  using conn = await Deno.connectTls({
    hostname: "127.0.0.1",
    port,
    caCerts: [await Deno.readTextFile(tls.ca)],
    cert: await Deno.readTextFile(tls.cert(name)),
    key: await Deno.readTextFile(tls.key(name)),
    unsafelyDisableHostnameVerification: true,
  });
  await conn.write(new TextEncoder().encode(SUBMIT));
  let text = "";
  const buffer = new Uint8Array(4096);
  while (!/^.*\n.*\n/.test(text)) {
    const count = await conn.read(buffer);
    if (count === null) break;
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return text.split("\n")[1] ?? "";
}

meshTest(
  "work is signed for nodes in signfor that show their certificate, and for no others",
  { kinds: ["ours"] },
  async (mesh) => {
    const names = ["controller", "partner", "stranger"];
    const tls = await makeCertificates((await mesh.folder()).path, names);
    const [linkPort, controlPort] = [freePort(), freePort()];
    const signingKey = `${(await mesh.folder()).path}/sign.pem`;
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const pem = privateKey.export({ format: "pem", type: "pkcs8" }).toString();
    await Deno.writeTextFile(signingKey, pem);
    const server = {
      name: "server",
      cert: tls.cert("controller"),
      key: tls.key("controller"),
      requireclientcert: true,
      clientcas: tls.ca,
    };
    await mesh.node({
      kind: "ours",
      id: "controller",
      control: { tls: "server", tcplisten: `127.0.0.1:${controlPort}`, tcptls: "server" },
      actions: [
        { "tls-server": server },
        { "work-signing": { privatekey: signingKey, signfor: ["partner"] } },
        { "tcp-listener": { bindaddr: "127.0.0.1", port: linkPort } },
      ],
    });
    const created = /^Work unit created with ID /;
    const refused = /^ERROR: this node signs work only for clients on its Unix socket/;
    for (const name of ["partner", "stranger"]) {
      const node = await mesh.node({
        kind: "ours",
        id: name,
        actions: [
          {
            "tls-client": {
              name: "own",
              cert: tls.cert(name),
              key: tls.key(name),
              rootcas: tls.ca,
            },
          },
          { "tcp-peer": { address: `127.0.0.1:${linkPort}` } },
        ],
      });
      await node.waitForRoute("controller");
      const expected = name === "partner" ? created : refused;
      assert.match(await submitOverTcp(controlPort, tls, name), expected, name);
      await using session = await node.session();
      assert.equal(await session.command("connect controller control own"), "Connecting");
      assert.equal(await session.readLine(), "Receptor Control, node controller");
      await session.send(JSON.parse(SUBMIT));
      assert.match(await session.readLine() ?? "", expected, name);
    }
  },
);

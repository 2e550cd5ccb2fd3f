/** What the original's user guide tells people to write starts in both daemons, or says why not. */
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, X509Certificate } from "node:crypto";
import { pool } from "../../bench/pool.ts";
import { makeCertificates } from "../support/certificates.ts";
import { within } from "../support/eventually.ts";
import { type Mesh, meshTest } from "../support/mesh.ts";
import { daemonCommand, type NodeKind } from "../support/peers.ts";
import { freePort } from "../support/ports.ts";
import { Program } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { type GuideContext, type GuideExample, USER_GUIDE } from "./_user_guide.ts";

const TIMEOUT_MS = 400_000;
/** Daemons at a time. */
const WIDTH = 3;

type Shared = Omit<GuideContext, "port" | "path">;

async function makeShared(mesh: Mesh): Promise<Shared> {
  const folder = await mesh.folder();
  const certificates = await makeCertificates(folder.path, ["foo", "bar"]);
  const { raw } = new X509Certificate(await Deno.readTextFile(certificates.cert("bar")));
  const digest = createHash("sha256").update(raw).digest("hex").toUpperCase();
  const signing = { privateKey: folder.join("private.pem"), publicKey: folder.join("public.pem") };
  const { privateKey, publicKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  await Deno.writeTextFile(signing.privateKey, privateKey);
  await Deno.writeTextFile(signing.publicKey, publicKey);
  return { certificates, fingerprint: digest.match(/../g)!.join(":"), signing };
}

async function check(kind: NodeKind, example: GuideExample, shared: Shared): Promise<void> {
  await using folder = await TempFolder.create();
  const path = (name: string) => folder.join(name);
  const config = example.config({ ...shared, port: freePort(), path });
  await Deno.writeTextFile(path("x.yml"), asText(config, path("data")));
  await using daemon = Program.start(
    [...daemonCommand(kind), "--config-v2", "--config", path("x.yml")],
    { cwd: folder.path, env: { XDG_RUNTIME_DIR: folder.path } },
  );
  const ends = example.ends?.[kind];
  try {
    if (ends === undefined) await daemon.waitForOutput(/Initialization complete/);
    else await within(60_000, "its end", daemon.exited);
  } catch (cause) {
    throw new Error(`${example.name}: ${kind} printed:\n${daemon.output}`, { cause });
  }
  assert.match(daemon.output, ends ?? /./, example.name);
}

/** Units of other tests' nodes may be in the folder that is the default. */
function asText(config: Record<string, unknown> | string, datadir: string): string {
  if (typeof config === "string") return config;
  const { node, ...others } = config;
  const values = node === undefined ? others : { node: { ...node, datadir }, ...others };
  return Object.entries(values).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
    .join("");
}

for (const kind of ["ours", "go"] as const) {
  meshTest(
    `the configurations of the original's user guide (${kind})`,
    { kinds: [kind], timeoutMs: TIMEOUT_MS },
    async (mesh) => {
      const shared = await makeShared(mesh);
      await pool(USER_GUIDE.length, WIDTH, (index) => check(kind, USER_GUIDE[index]!, shared));
    },
  );
}

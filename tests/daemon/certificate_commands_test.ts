/** The question that `cert-signreq` asks, answered on the standard input of a real process. */
import assert from "node:assert/strict";
import { TempFolder } from "../support/temp_folder.ts";
import { testEnvironment } from "../support/program.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

async function receptor(args: readonly string[], input: string, then = "") {
  const child = new Deno.Command("sh", {
    args: ["-c", `"$0" run -A --no-check "$@"; code=$?; ${then}\nexit $code`, Deno.execPath()]
      .concat(MAIN, args),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    clearEnv: true,
    env: testEnvironment(),
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  assert.equal(decoder.decode(stderr), "");
  return { code, stdout: decoder.decode(stdout) };
}

/** An authority and a request, and the arguments that sign it. */
async function request(folder: TempFolder): Promise<string[]> {
  const file = (name: string) => folder.join(name);
  const authority = ["commonname=ca", "keytype=ec", "bits=256"];
  const node = ["commonname=foo", "keytype=ec", "bits=256", "nodeid=foo"];
  for (
    const args of [
      ["--cert-init", ...authority, `outcert=${file("ca.crt")}`, `outkey=${file("ca.key")}`],
      ["--cert-makereq", ...node, `outreq=${file("foo.req")}`, `outkey=${file("foo.key")}`],
    ]
  ) {
    assert.deepEqual(await receptor(args, ""), { code: 0, stdout: "" });
  }
  return [
    ...["--cert-signreq", `req=${file("foo.req")}`, `cacert=${file("ca.crt")}`],
    ...[`cakey=${file("ca.key")}`, `outcert=${file("foo.crt")}`],
  ];
}

Deno.test("a map has an authority, requests and certificates made, in this order", async () => {
  await using folder = await TempFolder.create();
  const file = (name: string) => folder.join(name);
  const key = { keytype: "ec", bits: 256 };
  const map = {
    "cert-signreqs": [
      {
        ...{ req: file("foo.req"), cacert: file("ca.crt"), cakey: file("ca.key") },
        ...{ outcert: file("foo.crt"), verify: true },
      },
    ],
    "cert-makereqs": [
      {
        ...key,
        commonname: "foo",
        nodeid: "foo",
        outreq: file("foo.req"),
        outkey: file("foo.key"),
      },
    ],
    "cert-init": { ...key, commonname: "ca", outcert: file("ca.crt"), outkey: file("ca.key") },
  };
  await Deno.writeTextFile(file("map.yaml"), JSON.stringify(map));
  const args = ["--config-v2", "--config", file("map.yaml")];
  assert.equal((await receptor(args, "")).code, 0);
  await Deno.stat(file("foo.crt"));

  // A node in the same file starts with them: one without backends ends by itself.
  await Deno.remove(file("foo.crt"));
  const node = { id: "foo", datadir: folder.join("data") };
  await Deno.writeTextFile(file("map.yaml"), JSON.stringify({ ...map, node }));
  const { code, stdout } = await receptor(args, "");
  assert.equal(code, 1);
  assert.match(stdout, /Nothing to do - no backends are running/);
  await Deno.stat(file("foo.crt"));
});

Deno.test("cert-signreq leaves what follows its answer to the rest of a script", async () => {
  await using folder = await TempFolder.create();
  const args = await request(folder);
  const { code, stdout } = await receptor(args, "yes\nthe next line\n", "cat");
  assert.equal(code, 0);
  assert.ok(stdout.endsWith("Sign certificate (yes/no)? the next line\n"), stdout);
  await Deno.stat(folder.join("foo.crt"));
});

Deno.test("cert-signreq without anybody to answer names verify=true", async () => {
  await using folder = await TempFolder.create();
  const { code, stdout } = await receptor(await request(folder), "");
  assert.equal(code, 1);
  assert.match(stdout, /Error: argument 1: cert-signreq: user declined: .*verify=true/);
  await assert.rejects(Deno.stat(folder.join("foo.crt")), Deno.errors.NotFound);
});

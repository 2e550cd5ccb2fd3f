/** Broken flow maps and lists: what the original refuses is refused, or read as intended. */
import assert from "node:assert/strict";
import { InvalidConfigError } from "../../lib/config/config_error.ts";
import { daemonCommand, folderOf } from "../support/peers.ts";
import { testEnvironment } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { configOfYaml } from "./support.ts";

/** Neither makes a running node: the original exits at once, whether it can read them or not. */
const WHOLE = [
  "- node: {id: a, datadir: /d}\n",
  "- tcp-listener: {port: 99999, allowedpeers: [x, y]}\n",
];
const INSERTED = ["{", "}", "[", "]", ",", ":", '"', "'", "? ", "\n"];

/** Each text with one structural character missing or doubled. */
function broken(whole: string): string[] {
  const texts = new Set<string>();
  for (const { index: at } of whole.slice(0, -1).matchAll(/[{}\[\],: ]/g)) {
    if (at < 2) continue;
    texts.add(whole.slice(0, at) + whole.slice(at + 1));
    for (const more of INSERTED) texts.add(whole.slice(0, at + 1) + more + whole.slice(at + 1));
  }
  texts.delete(whole);
  return [...texts];
}

/** Read as intended, by YAML 1.2, where the original's YAML 1.1 gives up. */
const MEANT = [
  "- node: {id: :a, datadir: /d}\n",
  "- node: {id: a, datadir: :/d}\n",
];

const AT_ONCE = 4;

async function goRefuses(yaml: string, path: string): Promise<boolean> {
  await Deno.writeTextFile(path, yaml);
  const [file, ...args] = daemonCommand("go");
  const { stdout } = await new Deno.Command(file!, {
    args: [...args, "--config", path],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    clearEnv: true,
    env: testEnvironment(),
  }).output();
  return new TextDecoder().decode(stdout).startsWith("Error: error loading config file");
}

const missing = folderOf("RECEPTOR_PEERS") === undefined;
Deno.test({
  name: "broken flow maps and lists are refused as by the original" +
    (missing ? " (skipped: RECEPTOR_PEERS is not set)" : ""),
  ignore: missing,
  async fn() {
    await using folder = await TempFolder.create();
    const texts = WHOLE.flatMap(broken);
    assert.ok(texts.length >= 60);
    let refused = 0;
    const work = texts.values();
    await Promise.all(Array.from({ length: AT_ONCE }, async (_, worker) => {
      for (const yaml of work) {
        const ours = await configOfYaml(yaml, "host").then(() => undefined, (error) => error);
        if (!await goRefuses(yaml, folder.join(`${worker}.yml`))) continue;
        refused++;
        if (MEANT.includes(yaml)) continue;
        assert.ok(ours instanceof InvalidConfigError, `accepted: ${JSON.stringify(yaml)}`);
        assert.ok(ours.errors[0]!.line! > 0, ours.message);
      }
    }));
    assert.ok(refused >= 60, `the original refused ${refused}`);
    for (const yaml of MEANT) await configOfYaml(yaml, "host");
  },
});

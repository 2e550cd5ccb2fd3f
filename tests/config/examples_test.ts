import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { actionTable, findAction } from "../../lib/config/action_table.ts";
import { version } from "../../lib/config/actions/general.ts";
import { type Config, refuseRetired } from "../../lib/config/config.ts";
import { checkActions } from "../../lib/config/check_actions.ts";
import type { RawAction } from "../../lib/config/raw_action.ts";
import { readYaml } from "../../lib/config/read_yaml.ts";
import { loadCommand } from "../../lib/config/load_config.ts";

const configs = new URL("../../configs/", import.meta.url);

async function load(path: string, options: string[] = ["--config"]): Promise<Config> {
  const command = await loadCommand([...options, fileURLToPath(new URL(path, configs))]);
  assert.equal(command.kind, "run");
  assert.deepEqual(command.config.warnings, []);
  refuseRetired(command.config);
  return command.config;
}

Deno.test("the demo's configurations load", async () => {
  const foo = await load("demo/foo.yml");
  const bar = await load("demo/bar.yml");
  assert.deepEqual([foo.nodeId, bar.nodeId], ["foo", "bar"]);
});

Deno.test("the demo's configurations mean the same as maps", async () => {
  for (const name of ["foo", "bar"]) {
    const list = await load(`demo/${name}.yml`);
    const map = await load(`demo/${name}-v2.yaml`, ["--config-v2", "--config"]);
    const meanings = ({ actions }: Config) =>
      actions.map(({ action, values }) => ({ name: action.name, values }))
        .sort((a, b) => a.name.localeCompare(b.name));
    assert.deepEqual(meanings(map), meanings(list));
  }
});

Deno.test("the reference loads", async () => {
  await load("reference.yml");
});

Deno.test("the reference has everything that works, with its default", async () => {
  const text = await Deno.readTextFile(new URL("reference.yml", configs));
  // Uncomments what is commented out: lines such as `# cost: 1.0`, `# bar: 2.5`, `# - trace`.
  const whole = text.replace(
    /^( *)# ([a-z0-9]+:( .*)?| {2,}(- )?[a-z]+: .*|- trace|- cert-[a-z]+:)$/gm,
    "$1$2",
  );
  const { actions: inFile } = await readYaml(whole, "reference.yml");
  const standsAlone = ({ name }: RawAction) => findAction(name)?.exclusive === true;
  const together = inFile.filter((raw) => !standsAlone(raw));
  const alone = inFile.filter(standsAlone);
  const checked = [together, ...alone.map((raw) => [raw])].map((part) => checkActions(part));
  assert.deepEqual(checked.flatMap(({ warnings }) => warnings), []);
  const written = [...together, ...alone];
  const actions = checked.flatMap((part) => part.actions);
  for (const action of actionTable) {
    if (action.retired || action === version) continue;
    const index = actions.findIndex((configured) => configured.action === action);
    assert(index >= 0, action.name);
    const bare = written[index]!.parameters.length === 0;
    for (const [parameter, spec] of Object.entries(action.parameters)) {
      if (spec.description.startsWith("Accepted, without effect")) continue;
      const place = `${action.name}: ${parameter}`;
      assert(bare || written[index]!.parameters.some(({ name }) => name === parameter), place);
      if (spec.default === undefined) continue;
      assert.deepEqual(actions[index]!.values[parameter], spec.default, place);
    }
  }
});

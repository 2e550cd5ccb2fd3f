/** What the tests of the configuration share. */
import assert from "node:assert/strict";
import type { Config } from "../../lib/config/config.ts";
import { InvalidConfigError } from "../../lib/config/config_error.ts";
import { type ConfigHost, loadCommand } from "../../lib/config/load_config.ts";

/** A machine with these files, by path. */
export function hostWith(
  files: Readonly<Record<string, string>>,
  hostname = "host.example",
  home = "/home/me",
): ConfigHost {
  return {
    readFile: (path) =>
      Object.hasOwn(files, path)
        ? Promise.resolve(new TextEncoder().encode(files[path]!))
        : Promise.reject(new Deno.errors.NotFound(path)),
    hostname: () => hostname,
    home: () => home,
  };
}

/** The configuration that arguments give. */
export async function configOfArguments(
  args: readonly string[],
  host: ConfigHost = hostWith({}),
): Promise<Config> {
  const command = await loadCommand(args, host);
  assert.equal(command.kind, "run");
  return command.config;
}

/** The configuration that a file gives, called `receptor.yml` in errors. */
export function configOfYaml(yaml: string, hostname?: string): Promise<Config> {
  return configOfArguments(["-c", "receptor.yml"], hostWith({ "receptor.yml": yaml }, hostname));
}

/** The configuration that a file in the form of a map gives, called `receptor.yaml` in errors. */
export function configOfMap(yaml: string, hostname?: string): Promise<Config> {
  return configOfArguments(
    ["--config-v2", "--config", "receptor.yaml"],
    hostWith({ "receptor.yaml": yaml }, hostname),
  );
}

/** The messages of all errors that reading gives. */
export async function errorsOf(reading: Promise<unknown>): Promise<string[]> {
  try {
    await reading;
  } catch (error) {
    assert(error instanceof InvalidConfigError, String(error));
    assert.equal(error.message, error.errors.map(({ message }) => message).join("\n"));
    return error.errors.map(({ message }) => message);
  }
  assert.fail("there is no error");
}

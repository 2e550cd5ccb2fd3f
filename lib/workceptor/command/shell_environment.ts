/**
 * Gets an environment through a shell unchanged. A shell turns its environment into variables: it
 * drops entries whose names no variable can have, replaces some with variables of its own, and adds
 * its working directory.
 */

/** Names that every shell passes on. */
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Variables that dash or bash set themselves, or do not pass on. */
const SHELLS_OWN = /^(IFS|OPTIND|PPID|LINENO|PS1|UID|EUID|SHELLOPTS|BASHOPTS|BASH_.*)$/;

/**
 * Also set by a shell, but these can be corrected. (In bash, `_` would also have to be, since bash
 * sets it for every command; nobody relies on it.)
 */
const CORRECTED = ["PWD", "OLDPWD", "SHLVL"];

/** Takes entries that cannot be variables as arguments; every system has it at this path. */
export const ENV_PROGRAM = "/usr/bin/env";

/**
 * Makes the last lines of a script that runs the words in `"$@"` with exactly `environment`, which
 * the script was started with. `env` holds what must be added to the script's environment.
 */
export function pastShell(
  environment: Readonly<Record<string, string>>,
): { env: Record<string, string>; execCommand: string } {
  const env: Record<string, string> = {};
  const lines: string[] = [];
  for (const name of CORRECTED) {
    const value = environment[name];
    if (value === undefined) {
      lines.push(`unset ${name}`);
    } else {
      env[`receptor_${name}`] = value;
      lines.push(`export ${name}="$receptor_${name}"`, `unset receptor_${name}`);
    }
  }
  // Through variables: anybody can see the arguments of a process.
  const lost = Object.entries(environment)
    .filter(([name]) => !VARIABLE_NAME.test(name) || SHELLS_OWN.test(name));
  for (const [index, [name, value]] of lost.entries()) {
    const carrier = `receptor_entry_${index}`;
    env[carrier] = `${name}=${value}`;
    lines.push(`set -- "$${carrier}" "$@"`, `unset ${carrier}`);
  }
  lines.push(lost.length === 0 ? 'exec "$@"' : `exec ${ENV_PROGRAM} "$@"`);
  return { env, execCommand: lines.join("\n  ") };
}

/**
 * Gives written actions their meaning, from the table of actions: pure, and reports all mistakes at
 * once. Where the original has a text for a mistake, the message contains it.
 */
import { printable } from "../base/printable.ts";
import type { ActionSpec, Configured, ParameterSpec } from "./action.ts";
import { workVerification } from "./actions/workers.ts";
import { actionTable, findAction } from "./action_table.ts";
import { ConfigError, InvalidConfigError } from "./config_error.ts";
import { didYouMean } from "./nearest_name.ts";
import { describePosition, type Position } from "./position.ts";
import type { ConfigForm, RawAction, RawParameter, RawValue } from "./raw_action.ts";
import { ValueMismatch } from "./value_type.ts";

/** Longest value that an error quotes. */
const MAX_SHOWN_LENGTH = 60;

/** `form` is that of the files that they are from. Throws an `InvalidConfigError`. */
export function checkActions(
  written: readonly RawAction[],
  form: ConfigForm = "list",
): { actions: Configured<ActionSpec>[]; warnings: string[] } {
  const errors: ConfigError[] = [];
  const warnings: string[] = [];
  const actions: Configured<ActionSpec>[] = [];
  let before: ActionSpec | undefined;
  for (const raw of written) {
    const action = findAction(raw.name);
    if (action) actions.push(checkAction(action, raw, errors, warnings));
    else errors.push(unknownAction(raw, before));
    before = action ?? before;
  }
  checkTogether(actions, errors);
  // A map may have certificates made and then run the node that uses them, as in the original.
  if (form === "list") checkExclusive(actions, errors);
  if (errors.length > 0) throw new InvalidConfigError(errors);
  return { actions, warnings };
}

/** `before` is the last known action in front of it. */
function unknownAction(
  { name, position }: RawAction,
  before: ActionSpec | undefined,
): ConfigError {
  if (/^(help|h|bash-completion|config|config-v2|c)$/i.test(name)) {
    return new ConfigError(`${JSON.stringify(name)} is only possible on the command line`, {
      position,
    });
  }
  const hint = before !== undefined && Object.hasOwn(before.parameters, name.toLowerCase())
    ? parameterHint(name, before, position)
    : didYouMean(name, actionTable.map((action) => action.name));
  return new ConfigError(`unknown config type ${printable(name)}${hint}`, { position });
}

/** For users who write a parameter as if it were an action. */
function parameterHint(name: string, { name: action }: ActionSpec, position: Position): string {
  const advice = position.kind === "argument"
    ? `write it as name=value, ${name}=…`
    : `write it below ${action}: in the same item`;
  return `: it is a parameter of ${action}, ${advice}`;
}

function checkAction(
  action: ActionSpec,
  raw: RawAction,
  errors: ConfigError[],
  warnings: string[],
): Configured<ActionSpec> {
  const values: Record<string, unknown> = {};
  const given = new Set<string>();
  for (const parameter of raw.parameters) {
    try {
      const name = parameterName(action, parameter);
      const spec = action.parameters[name]!;
      if (given.has(name) && !spec.type.join) {
        const { message } = new ConfigError(
          `parameter ${JSON.stringify(name)} is given more than once: the last one counts`,
          { action: action.name, position: parameter.position },
        );
        warnings.push(message);
      }
      given.add(name);
      const value = readValue(action, name, spec, parameter);
      const before = values[name];
      values[name] = spec.type.join && before !== undefined ? spec.type.join(before, value) : value;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      errors.push(error);
    }
  }
  for (const [name, spec] of Object.entries(action.parameters)) {
    if (spec.required && !given.has(name)) {
      errors.push(
        new ConfigError(`required parameter missing: ${name}`, {
          action: action.name,
          parameter: name,
          position: raw.position,
        }),
      );
    }
    const value = values[name];
    // An empty list is no list, as in the original: an empty `allowedpeers` allows all.
    const empty = typeof value === "object" && Object.keys(value!).length === 0;
    if (value === undefined || empty) values[name] = spec.default;
  }
  return { action, values, position: raw.position };
}

/** The name in the table that a written parameter stands for. Throws a `ConfigError`. */
function parameterName(action: ActionSpec, { name, position }: RawParameter): string {
  const known = Object.keys(action.parameters);
  if (name === undefined) {
    const bare = known.find((candidate) => action.parameters[candidate]!.bare);
    if (bare !== undefined) return bare;
    const advice = known.length > 0
      ? `write name=value, with one of the names ${known.join(", ")}`
      : "it has no parameters";
    throw new ConfigError(`command does not allow bare values: ${advice}`, {
      action: action.name,
      position,
    });
  }
  if (Object.hasOwn(action.parameters, name.toLowerCase())) return name.toLowerCase();
  throw new ConfigError(`unknown field name ${printable(name)}${didYouMean(name, known)}`, {
    action: action.name,
    parameter: name,
    position,
  });
}

function readValue(
  action: ActionSpec,
  name: string,
  spec: ParameterSpec<unknown>,
  { value, position }: RawParameter,
): unknown {
  const options = { action: action.name, parameter: name, position };
  if (value === "" && spec.default === undefined && !spec.type.join && !spec.mayBeEmpty) {
    // An empty text is no value, unless it turns a default off.
    if (!spec.required) return undefined;
    throw new ConfigError(`${name}: expected a value`, options);
  }
  try {
    return spec.type.read(value);
  } catch (cause) {
    if (!(cause instanceof ValueMismatch)) throw cause;
    const got = spec.secret || cause.expected === undefined ? "" : `, got ${show(value)}`;
    throw new ConfigError(`${name}: ${cause.message}${got}`, { ...options, cause });
  }
}

function show(value: RawValue): string {
  if (value === null) return "nothing";
  if (typeof value === "string") {
    return JSON.stringify(
      value.length > MAX_SHOWN_LENGTH ? `${value.slice(0, MAX_SHOWN_LENGTH)}…` : value,
    );
  }
  return Array.isArray(value) ? "a list" : "a map";
}

/** Signatures that a work type requires need a key to check them with. */
function checkVerification(
  actions: readonly Configured<ActionSpec>[],
  errors: ConfigError[],
): void {
  const key = actions.find(({ action }) => action === workVerification)?.values["publickey"];
  if (key !== undefined) return;
  for (const { action, values, position } of actions) {
    if (values["verifysignature"] !== true) continue;
    errors.push(
      new ConfigError(
        `VerifySignature for work command '${
          printable(String(values["worktype"]))
        }' is true, but ` +
          "the work verification public key is not specified: add work-verification",
        { action: action.name, parameter: "verifysignature", position },
      ),
    );
  }
}

function checkExclusive(actions: readonly Configured<ActionSpec>[], errors: ConfigError[]): void {
  if (actions.length < 2) return;
  for (const { action, position } of actions) {
    if (!action.exclusive) continue;
    const options = { action: action.name, position };
    errors.push(new ConfigError("cannot be combined with other actions", options));
  }
}

/** Checks that involve several actions. */
function checkTogether(actions: readonly Configured<ActionSpec>[], errors: ConfigError[]): void {
  checkVerification(actions, errors);
  const once = new Map<ActionSpec, Position>();
  const unique = new Map<string, Position>();
  for (const { action, values, position } of actions) {
    const options = { action: action.name, position };
    const first = once.get(action);
    if (action.once && first) {
      errors.push(
        new ConfigError(
          `only one ${JSON.stringify(action.name)} is allowed, the first is at ` +
            describePosition(first),
          options,
        ),
      );
    }
    if (!first) once.set(action, position);
    for (const [parameter, spec] of Object.entries(action.parameters)) {
      const value = values[parameter];
      if (spec.unique === undefined || value === undefined || value === "") continue;
      const thing = `${spec.unique} ${printable(String(value))}`;
      const taken = unique.get(thing);
      if (taken) {
        errors.push(
          new ConfigError(`${thing} already registered: it is at ${describePosition(taken)}`, {
            ...options,
            parameter,
          }),
        );
      } else {
        unique.set(thing, position);
      }
    }
  }
}

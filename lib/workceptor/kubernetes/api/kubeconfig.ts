/**
 * Kubeconfig files: parsing, merging as kubectl does, and choosing what a context names. Pure: files
 * that a kubeconfig refers to are only named here.
 */
import { dirname, isAbsolute, join } from "node:path";
import { printable, printableList } from "../../../base/printable.ts";
import type { ExecPlugin } from "./exec_plugin.ts";

/** PEM or a token, in the kubeconfig itself or in a file. */
export type Material = { readonly text: string; readonly what: string } | { readonly path: string };

export interface ClusterEntry {
  /** As written: with or without a scheme. */
  readonly server: string;
  readonly ca: Material | undefined;
  readonly tlsServerName: string | undefined;
  readonly insecure: boolean;
  readonly proxyUrl: string | undefined;
  /** What its extension for exec plug-ins holds, for them alone. */
  readonly execConfig: unknown;
}

export interface UserEntry {
  readonly token: Material | undefined;
  readonly basic: { readonly username: string; readonly password: string } | undefined;
  readonly certificate: { readonly cert: Material; readonly key: Material } | undefined;
  readonly exec: ExecPlugin | undefined;
  /** Whom to act as: `Impersonate-` headers. */
  readonly impersonate: readonly (readonly [name: string, value: string])[];
}

/** What one context names. */
export interface KubeContext {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly cluster: ClusterEntry;
  readonly user: UserEntry;
}

/** A kubeconfig whose entries have not been looked into yet, since most of them are not used. */
export interface Kubeconfig {
  readonly currentContext: string | undefined;
  readonly clusters: ReadonlyMap<string, RawEntry>;
  readonly users: ReadonlyMap<string, RawEntry>;
  readonly contexts: ReadonlyMap<string, RawEntry>;
}

interface RawEntry {
  readonly value: Fields;
  /** The file that it is in, or what stands for it in messages. */
  readonly source: string;
  /** Where its relative paths begin; undefined if it may name no files and programs. */
  readonly folder: string | undefined;
}

type Fields = Readonly<Record<string, unknown>>;

export interface KubeconfigText {
  readonly text: string;
  /** Path of the file, or what to call the text in messages. */
  readonly source: string;
  /**
   * Whether it is a file of this machine's administrator. Text that somebody sent may name neither
   * files nor programs: their contents would go to a server of the sender's choice.
   */
  readonly trusted: boolean;
}

/** Parses one kubeconfig. Throws a `SyntaxError` that names the source and the field. */
export async function parseKubeconfig(
  { text, source, trusted }: KubeconfigText,
): Promise<Kubeconfig> {
  const { load, CORE_SCHEMA, YAMLException } = await import("js-yaml");
  let root: unknown;
  try {
    root = text.trim() === "" ? {} : load(text, { schema: CORE_SCHEMA });
  } catch (cause) {
    if (!(cause instanceof YAMLException)) throw cause;
    // Without the excerpt that its message has: it may show a secret.
    const line = cause.mark === undefined ? "" : `, line ${cause.mark.line + 1}`;
    throw new SyntaxError(`${source}${line}: not YAML: ${cause.reason}`);
  }
  const fields = asFields(root, source);
  const kind = textIn(fields, "kind", source);
  if (kind !== undefined && kind !== "Config") {
    throw new SyntaxError(`${source} is of kind ${printable(kind)}: expected a kubeconfig, Config`);
  }
  const folder = trusted ? dirname(source) : undefined;
  const entries = (list: string, member: string) =>
    entriesIn(fields, { list, member }, { source, folder });
  return {
    currentContext: textIn(fields, "current-context", source),
    clusters: entries("clusters", "cluster"),
    users: entries("users", "user"),
    contexts: entries("contexts", "context"),
  };
}

function entriesIn(
  fields: Fields,
  { list, member }: { list: string; member: string },
  { source, folder }: { source: string; folder: string | undefined },
): Map<string, RawEntry> {
  const items = fields[list] ?? [];
  if (!Array.isArray(items)) throw new SyntaxError(`${source}: ${list} is not a list`);
  const entries = new Map<string, RawEntry>();
  for (const item of items) {
    const where = `${source}: an entry of ${list}`;
    const name = textIn(asFields(item, where), "name", where);
    if (name === undefined) throw new SyntaxError(`${where} has no name`);
    if (entries.has(name)) throw new SyntaxError(`${where} is there twice: ${printable(name)}`);
    const value = asFields((item as Fields)[member] ?? {}, `${source}: ${member} ${name}`);
    entries.set(name, { value, source, folder });
  }
  return entries;
}

/** The first to have an entry, or the current context, wins. */
export function mergeKubeconfigs(configs: readonly Kubeconfig[]): Kubeconfig {
  const merged = (of: (config: Kubeconfig) => ReadonlyMap<string, RawEntry>) =>
    new Map(configs.toReversed().flatMap((config) => [...of(config)]));
  return {
    currentContext: configs.map((config) => config.currentContext).find((name) => name),
    clusters: merged((config) => config.clusters),
    users: merged((config) => config.users),
    contexts: merged((config) => config.contexts),
  };
}

/**
 * The current context with its cluster and user. `source` is for messages. Throws an `Error` that
 * says what is missing, contradictory or not supported.
 */
export function currentContext(config: Kubeconfig, source: string): KubeContext {
  const { currentContext: name, contexts } = config;
  if (!name) {
    throw new SyntaxError(`${source} has no current-context: ${known("contexts", contexts)}`);
  }
  const context = found(contexts, { kind: "context", name, source });
  const where = `context ${printable(name)} in ${context.source}`;
  const clusterName = textIn(context.value, "cluster", where);
  if (!clusterName) throw new SyntaxError(`${where} names no cluster`);
  const userName = textIn(context.value, "user", where);
  return {
    name,
    namespace: textIn(context.value, "namespace", where) || undefined,
    cluster: readCluster(
      found(config.clusters, { kind: "cluster", name: clusterName, source }),
      clusterName,
    ),
    // A server may need no credentials.
    user: userName
      ? readUser(found(config.users, { kind: "user", name: userName, source }), userName)
      : NOBODY,
  };
}

const NOBODY: UserEntry = {
  token: undefined,
  basic: undefined,
  certificate: undefined,
  exec: undefined,
  impersonate: [],
};

function found(
  entries: ReadonlyMap<string, RawEntry>,
  { kind, name, source }: { kind: string; name: string; source: string },
): RawEntry {
  const entry = entries.get(name);
  if (entry !== undefined) return entry;
  throw new SyntaxError(
    `${source} has no ${kind} ${printable(name)}: ${known(`${kind}s`, entries)}`,
  );
}

function known(what: string, entries: ReadonlyMap<string, unknown>): string {
  if (entries.size === 0) return `it has no ${what} at all`;
  return `its ${what} are ${printableList([...entries.keys()])}`;
}

function readCluster(entry: RawEntry, name: string): ClusterEntry {
  const { value, source } = entry;
  const where = `cluster ${printable(name)} in ${source}`;
  const server = textIn(value, "server", where);
  if (!server) throw new SyntaxError(`${where} has no server`);
  const insecure = flagIn(value, "insecure-skip-tls-verify", where);
  const ca = materialIn(entry, "certificate-authority", where);
  if (insecure && ca !== undefined) {
    throw new SyntaxError(
      `${where} has both insecure-skip-tls-verify and certificate-authority: one contradicts the ` +
        "other",
    );
  }
  return {
    server,
    ca,
    tlsServerName: textIn(value, "tls-server-name", where) || undefined,
    insecure,
    proxyUrl: textIn(value, "proxy-url", where) || undefined,
    execConfig: execConfigIn(value),
  };
}

/** Name of the extension that holds it, by the documentation of client-go credential plug-ins. */
const EXEC_EXTENSION = "client.authentication.k8s.io/exec";

function execConfigIn({ extensions }: Fields): unknown {
  if (!Array.isArray(extensions)) return undefined;
  return extensions.find((item) => item?.name === EXEC_EXTENSION)?.extension;
}

function readUser(entry: RawEntry, name: string): UserEntry {
  const { value } = entry;
  const where = `user ${printable(name)} in ${entry.source}`;
  if (value["auth-provider"] !== undefined && value["auth-provider"] !== null) {
    throw new SyntaxError(
      `${where} has an auth-provider, which Kubernetes clients gave up in 1.26: use an exec plug-in`,
    );
  }
  // The file is read again and again, so it wins over a token that grows old.
  const token = pathIn(entry, "tokenFile", where) ?? inlineIn(value, "token", where);
  const username = textIn(value, "username", where);
  const basic = username
    ? { username, password: textIn(value, "password", where) ?? "" }
    : undefined;
  if (token !== undefined && basic !== undefined) {
    throw new SyntaxError(`${where} has both a token and a username: expected one of them`);
  }
  const cert = materialIn(entry, "client-certificate", where);
  const key = materialIn(entry, "client-key", where);
  if ((cert === undefined) !== (key === undefined)) {
    throw new SyntaxError(`${where} has only one of client-certificate and client-key`);
  }
  return {
    token,
    basic,
    certificate: cert && key ? { cert, key } : undefined,
    exec: execIn(entry, where),
    impersonate: impersonationIn(value, where),
  };
}

function execIn(entry: RawEntry, where: string): ExecPlugin | undefined {
  const { exec } = entry.value;
  if (exec === undefined || exec === null) return undefined;
  const folder = trustedFolder(entry, `${where} has an exec plug-in`);
  const inExec = `exec of ${where}`;
  const fields = asFields(exec, inExec);
  const apiVersion = textIn(fields, "apiVersion", inExec);
  const version = /^client\.authentication\.k8s\.io\/(v1|v1beta1)$/.exec(apiVersion ?? "");
  if (version === null) {
    throw new SyntaxError(
      `${inExec} has apiVersion ${printable(apiVersion ?? "(none)")}: expected ` +
        "client.authentication.k8s.io/v1 or client.authentication.k8s.io/v1beta1",
    );
  }
  const command = textIn(fields, "command", inExec);
  if (!command) throw new SyntaxError(`${inExec} has no command`);
  if (textIn(fields, "interactiveMode", inExec) === "Always") {
    throw new SyntaxError(
      `${inExec} needs a terminal (interactiveMode: Always), which is not here`,
    );
  }
  return {
    apiVersion: apiVersion!,
    // One without a slash is looked up in PATH.
    command: command.includes("/") ? resolved(folder, command) : command,
    args: textsIn(fields, "args", inExec),
    env: environmentIn(fields, inExec),
    installHint: textIn(fields, "installHint", inExec),
    provideClusterInfo: flagIn(fields, "provideClusterInfo", inExec),
  };
}

function environmentIn({ env }: Fields, where: string): [string, string][] {
  if (env === undefined || env === null) return [];
  if (!Array.isArray(env)) throw new SyntaxError(`env in ${where} is not a list`);
  return env.map((item) => {
    const fields = asFields(item, `env in ${where}`);
    return [textIn(fields, "name", where) ?? "", textIn(fields, "value", where) ?? ""];
  });
}

function impersonationIn(value: Fields, where: string): [string, string][] {
  const headers: [string, string][] = [];
  const as = textIn(value, "as", where);
  if (as) headers.push(["Impersonate-User", as]);
  const uid = textIn(value, "as-uid", where);
  if (uid) headers.push(["Impersonate-Uid", uid]);
  for (const group of textsIn(value, "as-groups", where)) {
    headers.push(["Impersonate-Group", group]);
  }
  const extra = asFields(value["as-user-extra"] ?? {}, `as-user-extra of ${where}`);
  for (const name of Object.keys(extra)) {
    for (const text of textsIn(extra, name, where)) {
      headers.push([`Impersonate-Extra-${encodeURIComponent(name)}`, text]);
    }
  }
  if (headers.length > 0 && !as) {
    throw new SyntaxError(`${where} impersonates groups or a uid without a user ("as")`);
  }
  for (const [name, text] of headers) {
    if (/[\r\n\0]/.test(text)) throw new SyntaxError(`${name} of ${where} has a line break`);
  }
  return headers;
}

/** `<field>-data`, in base64, or the file that `<field>` names. */
function materialIn(entry: RawEntry, field: string, where: string): Material | undefined {
  const data = textIn(entry.value, `${field}-data`, where);
  if (!data) return pathIn(entry, field, where);
  const what = `${field}-data of ${where}`;
  try {
    return { text: new TextDecoder().decode(Uint8Array.fromBase64(data)), what };
  } catch {
    throw new SyntaxError(`${what} is not base64`);
  }
}

function inlineIn(value: Fields, field: string, where: string): Material | undefined {
  const text = textIn(value, field, where);
  return text ? { text, what: `${field} of ${where}` } : undefined;
}

function pathIn(entry: RawEntry, field: string, where: string): Material | undefined {
  const path = textIn(entry.value, field, where);
  if (!path) return undefined;
  return { path: resolved(trustedFolder(entry, `${where} names a file (${field})`), path) };
}

function resolved(folder: string, path: string): string {
  return isAbsolute(path) ? path : join(folder, path);
}

function trustedFolder({ folder }: RawEntry, what: string): string {
  if (folder !== undefined) return folder;
  throw new SyntaxError(
    `${what}, which a kubeconfig that comes with the work may not use: put the data into it`,
  );
}

function asFields(value: unknown, where: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new SyntaxError(`${where} is not a map of fields`);
}

function textIn(fields: Fields, name: string, where: string): string | undefined {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") {
    throw new SyntaxError(`${printable(name)} of ${where} is not text: put it in quotes`);
  }
  return value;
}

function textsIn(fields: Fields, name: string, where: string): string[] {
  const value = fields[name];
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw new SyntaxError(`${printable(name)} of ${where} is not a list of texts`);
}

function flagIn(fields: Fields, name: string, where: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value === "boolean") return value;
  throw new SyntaxError(`${name} of ${where} is neither true nor false`);
}

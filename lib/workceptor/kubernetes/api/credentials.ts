/** Who we are to an API server: what a request and a TLS handshake show of it. */
import { abortable } from "../../../base/abortable.ts";
import type { Clock } from "../../../base/clock.ts";
import { fileReasonOf } from "../../../base/error_message.ts";
import { printable } from "../../../base/printable.ts";
import { type ExecCredential, type ExecPlugin, runExecPlugin } from "./exec_plugin.ts";
import { SetupError } from "./kube_error.ts";
import type { Material, UserEntry } from "./kubeconfig.ts";

/** A certificate chain and its key, in PEM, and what to call them in messages. */
export interface ClientCertificate {
  readonly cert: string;
  readonly key: string;
  readonly certFrom: string;
  readonly keyFrom: string;
}

export type Header = readonly [name: string, value: string];

export interface Credentials {
  /** Headers for one request; files are read anew. Throws a `SetupError` that names what is missing. */
  headers(signal: AbortSignal): Promise<readonly Header[]>;
  /** For the next handshake; undefined for none. Throws like `headers`. */
  certificate(signal: AbortSignal): Promise<ClientCertificate | undefined>;
  /**
   * The server refused a request with this `Authorization`, if it had one: what is remembered of it
   * is not given again.
   */
  refused(authorization: string | undefined): void;
}

/** The text of some material, read anew if it is in a file. */
export async function readMaterial(material: Material): Promise<{ text: string; from: string }> {
  if ("text" in material) return { text: material.text, from: material.what };
  try {
    return { text: await Deno.readTextFile(material.path), from: material.path };
  } catch (cause) {
    throw new SetupError(`cannot read ${material.path}: ${fileReasonOf(cause)}`, { cause });
  }
}

export interface CredentialsDeps {
  readonly clock: Pick<Clock, "wallTime">;
}

/**
 * The credentials of a kubeconfig's user. `cluster` is what an exec plug-in is told of the server.
 */
export function credentialsOf(
  user: UserEntry,
  cluster: () => Promise<unknown>,
  deps: CredentialsDeps,
): Credentials {
  const { exec } = user;
  const plugin = exec && new PluginCredential(exec, cluster, deps);
  return {
    async headers(signal) {
      const authorization = await authorizationOf(user) ?? await plugin?.authorization(signal);
      return authorization === undefined
        ? user.impersonate
        : [["Authorization", authorization], ...user.impersonate];
    },
    async certificate(signal) {
      if (user.certificate !== undefined) {
        const cert = await readMaterial(user.certificate.cert);
        const key = await readMaterial(user.certificate.key);
        return { cert: cert.text, certFrom: cert.from, key: key.text, keyFrom: key.from };
      }
      const made = (await plugin?.current(signal))?.certificate;
      return made && { ...made, certFrom: plugin!.name, keyFrom: plugin!.name };
    },
    refused: (authorization) => plugin?.forget(authorization),
  };
}

async function authorizationOf({ token, basic }: UserEntry): Promise<string | undefined> {
  if (basic !== undefined) {
    const pair = new TextEncoder().encode(`${basic.username}:${basic.password}`);
    return `Basic ${pair.toBase64()}`;
  }
  if (token === undefined) return undefined;
  const { text, from } = await readMaterial(token);
  return bearer(text.trim(), from);
}

/** Throws a `SetupError` that does not show the token. */
function bearer(token: string, from: string): string {
  if (token === "") throw new SetupError(`there is no token in ${from}`);
  // A line break would start another header.
  if (/[^\x21-\x7e]/.test(token)) throw new SetupError(`what is in ${from} is not a token`);
  return `Bearer ${token}`;
}

/** A plug-in's output is used for so much less than it says, for clocks that differ. */
const EXPIRY_MARGIN_MS = 10_000;

/** One run serves all requests that wait for it, and is stopped when none of them waits any more. */
interface PluginRun {
  readonly result: Promise<ExecCredential>;
  readonly stop: AbortController;
  waiting: number;
}

/** What a plug-in printed, until it expires or is refused. */
class PluginCredential {
  readonly #plugin: ExecPlugin;
  readonly #cluster: () => Promise<unknown>;
  readonly #deps: CredentialsDeps;
  #last: ExecCredential | undefined;
  #run: PluginRun | undefined;

  constructor(plugin: ExecPlugin, cluster: () => Promise<unknown>, deps: CredentialsDeps) {
    this.#plugin = plugin;
    this.#cluster = cluster;
    this.#deps = deps;
  }

  /** For messages. */
  get name(): string {
    return `the output of ${printable(this.#plugin.command)}`;
  }

  async authorization(signal: AbortSignal): Promise<string | undefined> {
    const { token } = await this.current(signal);
    return token === undefined ? undefined : bearer(token, this.name);
  }

  current(signal: AbortSignal): Promise<ExecCredential> {
    const last = this.#last;
    const now = this.#deps.clock.wallTime();
    if (last !== undefined && now < (last.expiresAt ?? Infinity) - EXPIRY_MARGIN_MS) {
      return Promise.resolve(last);
    }
    return this.#renew(signal);
  }

  forget(authorization: string | undefined): void {
    // Others may have renewed it since.
    const { token } = this.#last ?? {};
    if (token === undefined || authorization === `Bearer ${token}`) this.#last = undefined;
  }

  async #renew(signal: AbortSignal): Promise<ExecCredential> {
    signal.throwIfAborted();
    const run = this.#run ??= this.#start();
    run.waiting++;
    try {
      return await abortable(run.result, signal);
    } finally {
      if (--run.waiting === 0) {
        if (this.#run === run) this.#run = undefined;
        run.stop.abort();
        await run.result.catch(() => {});
      }
    }
  }

  #start(): PluginRun {
    const stop = new AbortController();
    const result = this.#cluster().then((cluster) =>
      runExecPlugin(this.#plugin, cluster, stop.signal)
    );
    result.then((credential) => this.#last = credential, () => {});
    return { result, stop, waiting: 0 };
  }
}

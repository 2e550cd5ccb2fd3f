/**
 * Credential plug-ins of a kubeconfig: programs that print an `ExecCredential`, as the cloud
 * providers' do (client.authentication.k8s.io/v1 and v1beta1).
 */
import { messageOf } from "../../../base/error_message.ts";
import { printable } from "../../../base/printable.ts";
import { KubeError, SetupError } from "./kube_error.ts";
import { readAtMost } from "./read_at_most.ts";

export interface ExecPlugin {
  readonly apiVersion: string;
  /** An absolute path, or a name to look up in PATH. */
  readonly command: string;
  readonly args: readonly string[];
  /** In addition to our own environment. */
  readonly env: readonly (readonly [name: string, value: string])[];
  readonly installHint: string | undefined;
  readonly provideClusterInfo: boolean;
}

/** What a plug-in printed. */
export interface ExecCredential {
  readonly token: string | undefined;
  readonly certificate: { readonly cert: string; readonly key: string } | undefined;
  /** Milliseconds since 1970; undefined if it is good until the server refuses it. */
  readonly expiresAt: number | undefined;
}

/** A plug-in may ask a server of its own, but not a user. */
const MAX_RUN_MS = 2 * 60_000;
const MAX_OUTPUT_BYTES = 1024 * 1024;
/** Of what it says on standard error. */
const MAX_ERROR_BYTES = 4 * 1024;

/**
 * Runs `plugin`; `cluster` is what it is told of the server, if it wants to know. Throws a `KubeError`
 * that says what the plug-in did instead of printing a credential, and never holds one.
 */
export async function runExecPlugin(
  plugin: ExecPlugin,
  cluster: unknown,
  signal: AbortSignal,
): Promise<ExecCredential> {
  const { apiVersion, command, installHint } = plugin;
  const what = `the exec plug-in ${printable(command)}`;
  const spec = {
    interactive: false,
    ...(plugin.provideClusterInfo ? { cluster } : {}),
  };
  const info = JSON.stringify({ apiVersion, kind: "ExecCredential", spec });
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(command, {
      args: [...plugin.args],
      env: { ...Object.fromEntries(plugin.env), KUBERNETES_EXEC_INFO: info },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (cause) {
    const hint = installHint === undefined ? "" : `. ${printable(installHint)}`;
    throw new SetupError(`cannot run ${what}: ${messageOf(cause)}${hint}`, { cause });
  }
  const timeout = AbortSignal.timeout(MAX_RUN_MS);
  const stop = AbortSignal.any([signal, timeout]);
  const kill = () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
  };
  if (stop.aborted) kill();
  else stop.addEventListener("abort", kill, { once: true });
  try {
    const [output, errors, status] = await Promise.all([
      readAtMost(child.stdout, MAX_OUTPUT_BYTES, stop),
      readAtMost(child.stderr, MAX_ERROR_BYTES, stop),
      child.status,
    ]);
    signal.throwIfAborted();
    if (timeout.aborted) {
      throw new KubeError(`${what} was still running after ${MAX_RUN_MS / 1000} s`);
    }
    if (!status.success) {
      const said = printable(new TextDecoder().decode(errors.bytes).trim());
      throw new KubeError(`${what} failed with exit code ${status.code}${said ? `: ${said}` : ""}`);
    }
    if (output.more) throw new KubeError(`${what} printed more than ${MAX_OUTPUT_BYTES} bytes`);
    return parseCredential(new TextDecoder().decode(output.bytes), apiVersion, what);
  } finally {
    stop.removeEventListener("abort", kill);
  }
}

/** Reads what a plug-in printed. `what` names it in errors, which do not quote it. */
export function parseCredential(text: string, apiVersion: string, what: string): ExecCredential {
  let credential: Record<string, unknown> | null;
  try {
    credential = JSON.parse(text);
  } catch {
    throw new KubeError(`${what} printed something that is not JSON`);
  }
  if (credential?.kind !== "ExecCredential" || credential.apiVersion !== apiVersion) {
    throw new KubeError(
      `${what} did not print an ExecCredential of ${apiVersion}, which the kubeconfig asks for, ` +
        `but ${printable(String(credential?.kind))} of ${
          printable(String(credential?.apiVersion))
        }`,
    );
  }
  const status = (credential.status ?? {}) as Record<string, unknown>;
  const field = (name: string) => {
    const value = status[name];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const token = field("token");
  const cert = field("clientCertificateData");
  const key = field("clientKeyData");
  if ((cert === undefined) !== (key === undefined)) {
    throw new KubeError(`${what} printed only one of clientCertificateData and clientKeyData`);
  }
  if (token === undefined && cert === undefined) {
    throw new KubeError(`${what} printed neither a token nor a client certificate`);
  }
  const expiry = field("expirationTimestamp");
  const expiresAt = expiry === undefined ? undefined : Date.parse(expiry);
  if (Number.isNaN(expiresAt)) {
    throw new KubeError(`${what} printed an expirationTimestamp that is not a time in RFC 3339`);
  }
  return { token, certificate: cert && key ? { cert, key } : undefined, expiresAt };
}

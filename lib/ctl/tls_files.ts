/** Certificates for a `tls://` control socket: from options, or from a node's configuration. */
import { load } from "js-yaml";
import { messageOf } from "../base/error_message.ts";
import { CtlError } from "./ctl_error.ts";

/** File names, "" for none. */
export interface TlsFiles {
  rootcas: string;
  cert: string;
  key: string;
  /** Does not check the host name; the certificate must still be valid. */
  insecureskipverify: boolean;
}

/** The actions of a node's configuration file. Throws a `CtlError` if it cannot be read. */
export async function readConfigFile(path: string): Promise<Record<string, unknown>[]> {
  let actions: unknown;
  try {
    actions = load(await Deno.readTextFile(path));
  } catch (cause) {
    const why = messageOf(cause);
    throw new CtlError(`Cannot read config ${path}: ${why}`, undefined, { cause });
  }
  if (Array.isArray(actions)) return actions;
  if (typeof actions === "object" && actions !== null) return tlsClientsOf(actions);
  throw new CtlError(`Config ${path} is neither a list nor a map of actions`);
}

/** The part of a map (`receptor --config-v2`) that is of interest here, as in a list. */
function tlsClientsOf(map: object): Record<string, unknown>[] {
  const [, clients] = Object.entries(map)
    .find(([key]) => key.toLowerCase() === "tls-clients") ?? [];
  return [clients ?? []].flat().map((client) => ({ "tls-client": client }));
}

/** The `tls-client` of that name in a node's configuration file, on top of `given`. */
export async function readTlsClientConfig(
  path: string,
  name: string,
  given: TlsFiles,
): Promise<TlsFiles> {
  const actions = await readConfigFile(path);
  const found = actions
    .map((action) => action?.["tls-client"] as { name?: unknown } & Partial<TlsFiles> | undefined)
    .find((tls) => tls?.name === name);
  // The original's client goes on without it, but a wrong name must be reported.
  if (found === undefined) throw new CtlError(`Config ${path} has no tls-client named ${name}`);
  return {
    rootcas: String(found.rootcas ?? given.rootcas),
    cert: String(found.cert ?? given.cert),
    key: String(found.key ?? given.key),
    insecureskipverify: Boolean(found.insecureskipverify ?? given.insecureskipverify),
  };
}

/** Reads the files into the options of `Deno.connectTls`. */
export async function loadTlsFiles(files: TlsFiles): Promise<
  & { caCerts?: string[]; unsafelyDisableHostnameVerification: boolean }
  & Partial<Deno.TlsCertifiedKeyPem>
> {
  const read = async (path: string): Promise<string> => {
    try {
      return await Deno.readTextFile(path);
    } catch (cause) {
      const why = messageOf(cause);
      throw new CtlError(`Cannot read ${path}: ${why}`, undefined, { cause });
    }
  };
  return {
    unsafelyDisableHostnameVerification: files.insecureskipverify,
    ...(files.rootcas ? { caCerts: [await read(files.rootcas)] } : {}),
    ...(files.cert && files.key
      ? { keyFormat: "pem", cert: await read(files.cert), key: await read(files.key) }
      : {}),
  };
}

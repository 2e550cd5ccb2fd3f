/** Connects to a node, and says what to do if that fails. */
import type { ByteConn } from "../base/byte_conn.ts";
import { defaultSocketPaths, type Environment } from "../base/default_socket.ts";
import { messageOf } from "../base/error_message.ts";
import { CtlError } from "./ctl_error.ts";
import { parseSocketAddress, type SocketAddress } from "./socket_address.ts";
import type { TlsFiles } from "./tls_files.ts";

/** The options before a command that say where the node is. */
export interface SocketOptions {
  socket: string;
  config: string;
  tlsClient: string;
  rootcas: string;
  key: string;
  cert: string;
  insecureskipverify: boolean;
}

const START_A_NODE = "Start a node, for instance with: receptor --node id=foo --local-only";

/** Checks what can be checked without connecting; returns a function that connects on each call. */
export function socketOpener(
  options: SocketOptions,
  environment: Environment,
): () => Promise<ByteConn> {
  if (options.config && (options.rootcas || options.key || options.cert)) {
    throw new CtlError("Cannot specify both config and rootcas, key, cert");
  }
  if (options.config && !options.tlsClient) {
    throw new CtlError("Must specify both config and tlsclient");
  }
  const given = options.socket === ""
    ? undefined
    : parseSocketAddress(options.socket, environment("HOME"));
  return async () => {
    const address = given ?? await findDefaultSocket(environment);
    if (address.transport !== "unix") return await connectNetwork(address, options);
    await checkConfig(options);
    return await connectUnix(address.path);
  };
}

async function findDefaultSocket(environment: Environment): Promise<SocketAddress> {
  const paths = defaultSocketPaths(environment);
  for (const path of paths) {
    if (!await exists(path)) continue;
    await checkOwner(path);
    return { transport: "unix", path };
  }
  throw new CtlError(
    `No control socket found: neither --socket nor RECEPTORCTL_SOCKET is given, and there is none at ${
      paths.join(" or ")
    }. ${START_A_NODE}`,
  );
}

/**
 * The user did not name this socket, so it must not be somebody else's, who would be sent payloads
 * and secrets. Its folder must not be either, as whoever owns that can replace the socket.
 */
async function checkOwner(path: string): Promise<void> {
  const folder = path.slice(0, path.lastIndexOf("/"));
  for (const place of [folder, path]) {
    const { uid } = await Deno.lstat(place);
    if (uid === null || uid === 0 || uid === Deno.uid()) continue;
    throw new CtlError(
      `Control socket ${path} is not used: ${place} belongs to user ${uid}, neither to you nor to ` +
        `root. If you mean that node, name it: --socket ${path}`,
    );
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound);
  }
}

/** A Unix socket needs nothing from the file, but a wrong file name must be reported. */
async function checkConfig({ config }: SocketOptions): Promise<void> {
  if (config === "") return;
  const { readConfigFile } = await import("./tls_files.ts");
  await readConfigFile(config);
}

async function connectUnix(path: string): Promise<ByteConn> {
  try {
    return await Deno.connect({ transport: "unix", path });
  } catch (cause) {
    throw new CtlError(await unixProblem(path, cause), undefined, { cause });
  }
}

async function unixProblem(path: string, cause: unknown): Promise<string> {
  if (cause instanceof Deno.errors.NotFound) {
    return `Socket path does not exist: ${path}. ${START_A_NODE}`;
  }
  if (cause instanceof Deno.errors.ConnectionRefused) {
    return `No node answers on ${path}: the one that made this socket has ended. ${START_A_NODE}`;
  }
  if (cause instanceof Deno.errors.PermissionDenied) {
    const { describeAccess } = await import("./socket_access.ts");
    return `Permission denied for control socket ${path}${await describeAccess(path)}`;
  }
  return `Cannot connect to ${path}: ${cause instanceof Error ? cause.message : cause}`;
}

async function connectNetwork(
  address: Extract<SocketAddress, { transport: "tcp" | "tls" }>,
  options: SocketOptions,
): Promise<ByteConn> {
  const { transport, hostname, port } = address;
  const tls = transport === "tls" ? await readTls(options) : undefined;
  try {
    if (tls === undefined) return await Deno.connect({ hostname, port });
    const conn = await Deno.connectTls({ hostname, port, ...tls.options });
    try {
      // At once, so that a refused certificate is reported as a failure to connect.
      await conn.handshake();
      return conn;
    } catch (error) {
      conn.close();
      throw error;
    }
  } catch (cause) {
    const isMismatch = tls !== undefined && /KeyMismatch/.test(messageOf(cause));
    const why = isMismatch
      ? `${tls.files.key} is not the private key of ${tls.files.cert}`
      : messageOf(cause);
    throw new CtlError(
      `Could not connect to host ${hostname} port ${port}: ${why}`,
      undefined,
      { cause },
    );
  }
}

async function readTls(options: SocketOptions) {
  const { readTlsClientConfig, loadTlsFiles } = await import("./tls_files.ts");
  const given: TlsFiles = {
    rootcas: options.rootcas,
    cert: options.cert,
    key: options.key,
    insecureskipverify: options.insecureskipverify,
  };
  const files = options.config
    ? await readTlsClientConfig(options.config, options.tlsClient, given)
    : given;
  return { files, options: await loadTlsFiles(files) };
}

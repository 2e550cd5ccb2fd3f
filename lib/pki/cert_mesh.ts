/**
 * `cert-mesh`: everything that a mesh needs in one folder, an authority and a certificate for each
 * node. Run again with more nodes, it adds theirs and leaves existing files alone.
 */
import { join } from "node:path";
import { makeAuthorityCertificate, signRequest } from "./certificate_authority.ts";
import { makeRequest, parseRequest } from "./certificate_request.ts";
import { readNames } from "./cert_make_request.ts";
import { loadAuthority, NODE_YEARS } from "./cert_sign_request.ts";
import type { CommandDeps, CommandIo } from "./command_io.ts";
import { parseIpAddress } from "./host_name.ts";
import { formatPrivateKey, generateKey, type KeySpec, parseKeySpec } from "./key_pair.ts";
import { parsePem } from "./pem.ts";
import { readValidity, type ValidityOptions } from "./validity.ts";
import { writeFiles } from "./write_files.ts";

const CA_YEARS = 10;
const DEFAULT_COMMON_NAME = "Receptor mesh CA";
/**
 * Node ids that can safely name a file; all others need `cert-makereq` with file names chosen by
 * hand.
 */
const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
const DNS_NAME = /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_-]+)*$/;

export interface CertMeshOptions extends Pick<ValidityOptions, "notAfter"> {
  /** Each `node id`, or `node id=host,address,…` with the names that others connect to it by. */
  readonly nodes: readonly string[];
  /** Folder; created if it does not exist. */
  readonly outDir: string;
  /** Of the authority. */
  readonly commonName?: string | undefined;
  readonly keyType?: string | undefined;
  readonly bits?: number | undefined;
}

interface MeshNode {
  readonly nodeId: string;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

/**
 * Writes `ca.crt`, `ca.key`, and `<node>.crt` and `<node>.key` for each node, and reports that on
 * `io`. `notAfter` is for the certificates of the nodes. Throws an `Error` that says what is wrong.
 */
export async function certMesh(
  deps: CommandDeps & { readonly io: Pick<CommandIo, "write"> },
  options: CertMeshOptions,
): Promise<void> {
  const { clock, random, io } = deps;
  const { outDir } = options;
  const nodes = options.nodes.map(parseMeshNode);
  if (nodes.length === 0) throw new Error("must provide at least one node");
  const spec = parseKeySpec(options);
  const validity = readValidity(clock, NODE_YEARS, options);
  await Deno.mkdir(outDir, { recursive: true, mode: 0o700 });

  const caCert = join(outDir, "ca.crt");
  const caKey = join(outDir, "ca.key");
  if (await exists(caCert) || await exists(caKey)) {
    io.write(`kept ${caCert}\n`);
  } else {
    const key = await generateKey(spec);
    const commonName = options.commonName ?? DEFAULT_COMMON_NAME;
    const caValidity = readValidity(clock, CA_YEARS, {});
    const contents = await makeAuthorityCertificate(random, key, { commonName, ...caValidity });
    await writeFiles([
      { path: caCert, contents },
      { path: caKey, contents: formatPrivateKey(key) },
    ]);
    io.write(`made ${caCert} and ${caKey}\n`);
  }
  const authority = loadAuthority({ caCert, caKey });

  for (const node of nodes) {
    const certPath = join(outDir, `${node.nodeId}.crt`);
    const keyPath = join(outDir, `${node.nodeId}.key`);
    if (await exists(certPath) || await exists(keyPath)) {
      io.write(`kept ${certPath}\n`);
      continue;
    }
    const { key, request } = await requestFor(node, spec);
    const contents = await signRequest(random, authority, request, validity);
    await writeFiles([
      { path: certPath, contents },
      { path: keyPath, contents: key },
    ]);
    io.write(`made ${certPath} and ${keyPath}\n`);
  }
}

async function requestFor({ nodeId, ...names }: MeshNode, spec: KeySpec) {
  const key = await generateKey(spec);
  const pem = await makeRequest(key, {
    commonName: nodeId,
    names: readNames({ ...names, nodeIds: [nodeId] }),
  });
  return { key: formatPrivateKey(key), request: parseRequest(parsePem(pem)[0]!.der) };
}

/**
 * Reads `foo` or `foo=foo.example.org,192.0.2.1`. A node id that is a valid DNS name is one of its
 * names too.
 */
function parseMeshNode(text: string): MeshNode {
  const [, nodeId = "", list = ""] = /^([^=]*)(?:=(.*))?$/s.exec(text)!;
  if (!FILE_NAME.test(nodeId) || nodeId === "ca") {
    throw new Error(
      `node ${JSON.stringify(text)}: ${JSON.stringify(nodeId)} cannot name a file; ` +
        "use cert-makereq for this one",
    );
  }
  const hosts = list === "" ? [] : list.split(",").map((host) => host.trim());
  const ipAddresses = hosts.filter((host) => parseIpAddress(host) !== undefined);
  const dnsNames = hosts.filter((host) => !ipAddresses.includes(host));
  const bad = dnsNames.find((name) => !DNS_NAME.test(name));
  if (bad !== undefined) {
    throw new Error(
      `node ${JSON.stringify(text)}: ${JSON.stringify(bad)} is neither a host name nor an address`,
    );
  }
  if (DNS_NAME.test(nodeId) && !dnsNames.includes(nodeId)) dnsNames.unshift(nodeId);
  return { nodeId, dnsNames, ipAddresses };
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** `cert-makereq`: makes a certificate request, with a new key or an existing one. */
import type { KeyObject } from "node:crypto";
import { makeRequest } from "./certificate_request.ts";
import { parseIpAddress } from "./host_name.ts";
import { formatPrivateKey, generateKey, parseKeySpec } from "./key_pair.ts";
import { privateKeyBlocks, readKeyBlock } from "./private_key.ts";
import { readTextFile } from "./read_file.ts";
import type { AlternativeNames } from "./receptor_names.ts";
import { type OutputFile, writeFiles } from "./write_files.ts";

export interface CertMakeRequestOptions {
  readonly commonName: string;
  /** Of a new key: `rsa` (default) or `ec`. */
  readonly keyType?: string | undefined;
  /** Of a new key; required for RSA, as in the original. */
  readonly bits?: number | undefined;
  readonly dnsNames?: readonly string[] | undefined;
  readonly ipAddresses?: readonly string[] | undefined;
  readonly nodeIds?: readonly string[] | undefined;
  /** File name. */
  readonly outReq: string;
  /** File name of the key to use, or of the new one: exactly one of the two. */
  readonly inKey?: string | undefined;
  readonly outKey?: string | undefined;
}

/** Writes the request, and the key if it is new. Throws an `Error` that says what is wrong. */
export async function certMakeRequest(options: CertMakeRequestOptions): Promise<void> {
  const { commonName, inKey, outKey, outReq } = options;
  checkKeyOptions(options);
  if (commonName === "") throw new Error("must provide CommonName");
  const names = readNames(options);
  const key = inKey ? loadKey(inKey) : await generateKey(parseKeySpec(options));
  const files: OutputFile[] = [
    { path: outReq, contents: await makeRequest(key, { commonName, names }) },
  ];
  if (outKey) files.push({ path: outKey, contents: formatPrivateKey(key) });
  await writeFiles(files);
}

/** Names for a certificate, checked. Throws an `Error` that quotes a wrong one. */
export function readNames(
  { dnsNames = [], ipAddresses = [], nodeIds = [] }: Pick<
    CertMakeRequestOptions,
    "dnsNames" | "ipAddresses" | "nodeIds"
  >,
): AlternativeNames {
  for (const name of dnsNames) {
    if (!/^[\x21-\x7e]+$/.test(name)) throw new Error(`invalid DNS name: ${JSON.stringify(name)}`);
  }
  if (nodeIds.includes("")) throw new Error("a node id must not be empty");
  return {
    dnsNames,
    nodeIds,
    ipAddresses: ipAddresses.map((text) => {
      const bytes = parseIpAddress(text);
      if (bytes === undefined) throw new Error(`invalid IP address: ${text}`);
      return bytes;
    }),
  };
}

function checkKeyOptions({ inKey, outKey, bits, keyType }: CertMakeRequestOptions): void {
  if (!inKey && !outKey) throw new Error("must provide either InKey or OutKey");
  if (inKey && outKey) throw new Error("cannot use both InKey and OutKey");
  if (inKey && (bits || keyType)) {
    throw new Error("cannot specify key bits when reading an already-existing key");
  }
  if (outKey && !bits && keyType !== "ec") {
    throw new Error("must specify key bits when creating a new key");
  }
}

function loadKey(file: string): KeyObject {
  const [block, ...others] = privateKeyBlocks(readTextFile(file));
  if (block === undefined) throw new Error(`no keys in file ${file}`);
  if (others.length > 0) throw new Error(`multiple keys in file ${file}`);
  return readKeyBlock(block, file);
}

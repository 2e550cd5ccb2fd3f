/** `cert-signreq`: signs a certificate request, after asking. */
import type { KeyObject } from "node:crypto";
import { createPublicKey } from "node:crypto";
import { messageOf } from "../base/error_message.ts";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { type Authority, signRequest } from "./certificate_authority.ts";
import { type CertificateRequest, parseRequest } from "./certificate_request.ts";
import type { CommandDeps, CommandIo } from "./command_io.ts";
import { formatIpAddress } from "./host_name.ts";
import { parsePem } from "./pem.ts";
import { printable } from "../base/printable.ts";
import { readKeyBlock } from "./private_key.ts";
import { publicKeyOf } from "./public_key.ts";
import { readTextFile } from "./read_file.ts";
import { readValidity, type ValidityOptions } from "./validity.ts";
import { writeFiles } from "./write_files.ts";

export const NODE_YEARS = 1;

export interface CertSignRequestOptions extends ValidityOptions {
  /** File names. */
  readonly req: string;
  readonly caCert: string;
  readonly caKey: string;
  readonly outCert: string;
  /** Sign without asking. */
  readonly verify?: boolean | undefined;
}

/** Writes the certificate. Throws an `Error` that says what is wrong, or that the user declined. */
export async function certSignRequest(
  deps: CommandDeps & { readonly io: CommandIo },
  options: CertSignRequestOptions,
): Promise<void> {
  const validity = readValidity(deps.clock, NODE_YEARS, options);
  const authority = loadAuthority(options);
  const request = loadRequest(options.req);
  const { dnsNames, ipAddresses, nodeIds } = request.names;
  if (dnsNames.length + ipAddresses.length + nodeIds.length === 0) {
    throw new Error("cannot sign: no names found in certificate");
  }
  if (!options.verify) await confirm(deps.io, request);
  const contents = await signRequest(deps.random, authority, request, validity);
  await writeFiles([{ path: options.outCert, contents }]);
}

/** Reads an authority's two files. Throws an `Error` if they do not belong together. */
export function loadAuthority(
  { caCert, caKey }: Pick<CertSignRequestOptions, "caCert" | "caKey">,
): Authority {
  const certificate = loadCertificate(caCert);
  const privateKey = loadKey(caKey);
  const certified = publicKeyOf(certificate).export({ format: "der", type: "spki" });
  if (!createPublicKey(privateKey).export({ format: "der", type: "spki" }).equals(certified)) {
    throw new Error(
      "x509: provided PrivateKey doesn't match parent's PublicKey: " +
        `${caKey} is not the key of ${caCert}`,
    );
  }
  return { certificate: certificate.der, privateKey };
}

function loadCertificate(file: string): Certificate {
  const der = onlyBlock(file, "certificate", (label) => label === "CERTIFICATE").der;
  const certificate = parseCertificate(der);
  if (!certificate.basicConstraints?.isCa || !certificate.maySignCertificates) {
    throw new Error(
      `"${printable(certificate.subjectText)}" in ${file} is not the certificate of an authority`,
    );
  }
  return certificate;
}

function loadKey(file: string): KeyObject {
  const isKey = (label: string) => label.endsWith("PRIVATE KEY");
  return readKeyBlock(onlyBlock(file, "private key", isKey), file);
}

function loadRequest(file: string): CertificateRequest {
  const isRequest = (label: string) => /^(NEW )?CERTIFICATE REQUEST$/.test(label);
  const { der } = onlyBlock(file, "certificate request", isRequest);
  try {
    return parseRequest(der);
  } catch (cause) {
    const reason = messageOf(cause);
    throw new Error(`cannot use the certificate request in ${file}: ${reason}`, { cause });
  }
}

/** The only PEM block of a file. The error texts are the original's, with the file. */
function onlyBlock(file: string, what: string, isWanted: (label: string) => boolean) {
  const blocks = parsePem(readTextFile(file)).filter(({ label }) => label !== "EC PARAMETERS");
  const [block, ...others] = blocks;
  if (block === undefined) throw new Error(`failed to decode PEM block: ${file}`);
  if (others.length > 0) {
    throw new Error(`${what} file should contain exactly one item: ${file}`);
  }
  if (!isWanted(block.label)) {
    throw new Error(`${what} file does not contain ${what} data: ${file}`);
  }
  return block;
}

async function confirm(io: CommandIo, request: CertificateRequest): Promise<void> {
  const { dnsNames, ipAddresses, nodeIds } = request.names;
  const lines = [
    "Requested certificate:",
    `  Subject: ${printable(request.subjectText)}`,
    `  Encryption Algorithm: ${describeKey(request.publicKey)}`,
    `  Signature Algorithm: ${request.signatureAlgorithm}`,
    "  Names:",
    ...dnsNames.map((name) => `    DNS Name: ${printable(name)}`),
    ...ipAddresses.map((address) => `    IP Address: ${formatIpAddress(address)}`),
    ...nodeIds.map((nodeId) => `    Receptor Node ID: ${printable(nodeId)}`),
  ];
  io.write(`${lines.join("\n")}\nSign certificate (yes/no)? `);
  const answer = await io.readLine();
  if (answer === null) {
    throw new Error("user declined: there was no answer (verify=true signs without asking)");
  }
  if (!/^y(es)?$/i.test(answer.trim())) throw new Error("user declined");
}

function describeKey(key: KeyObject): string {
  switch (key.asymmetricKeyType) {
    case "rsa":
      return `RSA (${key.asymmetricKeyDetails?.modulusLength} bits)`;
    case "ec":
      return "ECDSA";
    case "ed25519":
      return "Ed25519";
    default:
      return `${key.asymmetricKeyType}`;
  }
}

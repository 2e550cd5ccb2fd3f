/** An authority and certificates for the nodes of a test, made by a daemon's own commands. */
import { isIP } from "node:net";
import { join } from "node:path";
import { daemonCommand, type NodeKind } from "./peers.ts";
import { testEnvironment } from "./program.ts";

/** Where the PEM files of a test's authority are. */
export interface Certificates {
  /** The authority's certificate. */
  readonly ca: string;
  readonly caKey: string;
  cert(name: string): string;
  key(name: string): string;
}

/** Names by which the nodes of a test reach each other. */
const HOSTS = ["localhost", "127.0.0.1", "::1"];

/** Runs a daemon for a command that ends by itself; throws with its output if it failed. */
export async function runDaemonCommand(kind: NodeKind, args: readonly string[]): Promise<string> {
  const [file, ...prefix] = daemonCommand(kind);
  const { code, stdout, stderr } = await new Deno.Command(file!, {
    args: [...prefix, ...args],
    stdin: "null",
    clearEnv: true,
    env: testEnvironment(),
  }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  if (code !== 0) throw new Error(`${args.join(" ")} ended with code ${code}:\n${said}`);
  return said;
}

/**
 * Certificates for `ids`, also valid for loopback, in `folder`: made by one `cert-mesh` of ours
 * (elliptic curves, which are quick), or step by step by a Go daemon (RSA).
 */
export async function makeCertificates(
  folder: string,
  ids: readonly string[],
  maker: NodeKind = "ours",
): Promise<Certificates> {
  const certificates = certificatesIn(folder);
  if (maker === "ours") {
    await runDaemonCommand("ours", [
      "--cert-mesh",
      ...ids.map((id) => `node=${id}=${HOSTS.join(",")}`),
      `outdir=${folder}`,
      "keytype=ec",
    ]);
    return certificates;
  }
  await makeAuthority(maker, certificates);
  for (const id of ids) await signCertificate(maker, certificates, { name: id });
  return certificates;
}

/** The files of an authority in `folder`, whether they exist or not. */
export function certificatesIn(folder: string): Certificates {
  return {
    ca: join(folder, "ca.crt"),
    caKey: join(folder, "ca.key"),
    cert: (name) => join(folder, `${name}.crt`),
    key: (name) => join(folder, `${name}.key`),
  };
}

/** `cert-init`. */
export async function makeAuthority(maker: NodeKind, { ca, caKey }: Certificates): Promise<void> {
  await runDaemonCommand(maker, [
    ...["--cert-init", "commonname=test CA", "bits=2048"],
    ...[`outcert=${ca}`, `outkey=${caKey}`],
  ]);
}

/** `cert-makereq` and `cert-signreq`, with a key of its own, for files called `name`. */
export async function signCertificate(
  maker: NodeKind,
  certificates: Certificates,
  { name, nodeId = name, hosts = HOSTS, extra = [] }: {
    name: string;
    nodeId?: string;
    /** DNS names and addresses that it is valid for. */
    hosts?: readonly string[];
    /** More parameters of `cert-signreq`. */
    extra?: readonly string[];
  },
): Promise<void> {
  const request = `${certificates.cert(name)}.req`;
  await runDaemonCommand(maker, [
    ...["--cert-makereq", `commonname=${name}`, "bits=2048", `nodeid=${nodeId}`],
    ...hosts.map((host) => `${isIP(host) ? "ipaddress" : "dnsname"}=${host}`),
    ...[`outreq=${request}`, `outkey=${certificates.key(name)}`],
  ]);
  await runDaemonCommand(maker, [
    ...["--cert-signreq", `req=${request}`, `cacert=${certificates.ca}`],
    ...[`cakey=${certificates.caKey}`, `outcert=${certificates.cert(name)}`, "verify=true"],
    ...extra,
  ]);
}

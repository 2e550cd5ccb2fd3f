/** The `cert-…` actions: each does its work, and the program exits. */
import { systemClock as clock } from "../base/clock.ts";
import { systemRandom as random } from "../base/random.ts";
import type { ActionSpec, Configured } from "../config/action.ts";
import { actionTable } from "../config/action_table.ts";
import { certInit, certMakeReq, certMesh, certSignReq } from "../config/actions/certificates.ts";
import type { Config } from "../config/config.ts";
import type { CommandDeps, CommandIo } from "../pki/command_io.ts";
import { ActionHandlers } from "./action_handlers.ts";
import { failedAction } from "./failed_action.ts";

/** Only these commands need the library that makes certificates. */
async function loadPki() {
  const [init, makeRequest, signRequest, mesh] = await Promise.all([
    import("../pki/cert_init.ts"),
    import("../pki/cert_make_request.ts"),
    import("../pki/cert_sign_request.ts"),
    import("../pki/cert_mesh.ts"),
  ]);
  return { ...init, ...makeRequest, ...signRequest, ...mesh };
}
type Pki = Awaited<ReturnType<typeof loadPki>>;

interface CommandsDeps extends CommandDeps {
  readonly io: CommandIo;
  readonly pki: Pki;
}

const commands = new ActionHandlers<CommandsDeps, Promise<void>>()
  .on(certInit, (values, deps) =>
    deps.pki.certInit(deps, {
      commonName: values.commonname,
      keyType: values.keytype,
      bits: values.bits,
      notBefore: values.notbefore,
      notAfter: values.notafter,
      outCert: values.outcert,
      outKey: values.outkey,
    }))
  .on(certMakeReq, (values, { pki }) =>
    pki.certMakeRequest({
      commonName: values.commonname,
      keyType: values.keytype,
      bits: values.bits,
      dnsNames: values.dnsname,
      ipAddresses: values.ipaddress,
      nodeIds: values.nodeid,
      outReq: values.outreq,
      inKey: values.inkey,
      outKey: values.outkey,
    }))
  .on(certSignReq, (values, deps) =>
    deps.pki.certSignRequest(deps, {
      req: values.req,
      caCert: values.cacert,
      caKey: values.cakey,
      notBefore: values.notbefore,
      notAfter: values.notafter,
      outCert: values.outcert,
      verify: values.verify,
    }))
  .on(certMesh, (values, deps) =>
    deps.pki.certMesh(deps, {
      nodes: values.node,
      outDir: values.outdir,
      commonName: values.commonname,
      keyType: values.keytype,
      bits: values.bits,
      notAfter: values.notafter,
    }));

/** Those of a configuration, each after those whose files it may need. */
export function certificateCommands({ actions }: Config): Configured<ActionSpec>[] {
  const place = ({ action }: Configured<ActionSpec>) => actionTable.indexOf(action);
  return actions.filter((configured) => commands.handles(configured))
    .sort((a, b) => place(a) - place(b));
}

/** Throws a `ConfigError` that says which file or parameter is wrong. */
export async function runCertificateCommand(configured: Configured<ActionSpec>): Promise<void> {
  const pki = await loadPki();
  try {
    await commands.handle(configured, { clock, random, io: terminal(), pki });
  } catch (cause) {
    throw failedAction(configured, cause);
  }
}

/** Longest answer to a question. */
const MAX_ANSWER_BYTES = 1024;
const NEWLINE = 10;

function terminal(): CommandIo {
  return {
    write: (text) => void Deno.stdout.writeSync(new TextEncoder().encode(text)),
    readLine,
  };
}

/** Takes no more than a line from standard input: what follows belongs to the shell script. */
async function readLine(): Promise<string | null> {
  const line: number[] = [];
  const byte = new Uint8Array(1);
  while (line.length < MAX_ANSWER_BYTES) {
    if (await Deno.stdin.read(byte) === null) {
      if (line.length === 0) return null;
      break;
    }
    if (byte[0] === NEWLINE) break;
    line.push(byte[0]!);
  }
  return new TextDecoder().decode(Uint8Array.from(line));
}

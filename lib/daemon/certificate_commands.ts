/** The `cert-…` actions: each does its work, and the program ends. */
import { systemClock as clock } from "../base/clock.ts";
import { LineReader } from "../base/line_reader.ts";
import { systemRandom as random } from "../base/random.ts";
import type { ActionSpec, Configured } from "../config/action.ts";
import { certInit, certMakeReq, certMesh, certSignReq } from "../config/actions/certificates.ts";
import type { CommandIo } from "../pki/mod.ts";
import { failedAction } from "./failed_action.ts";

/** Whether an action is one of these. */
export function isCertificateCommand({ action }: Configured<ActionSpec>): boolean {
  return action.section === "certificates";
}

/** Throws a `ConfigError` that says which file or parameter is no good. */
export async function runCertificateCommand(configured: Configured<ActionSpec>): Promise<void> {
  // Only these commands need the library that makes certificates.
  const pki = await import("../pki/mod.ts");
  const deps = { clock, random, io: terminal() };
  try {
    switch (configured.action) {
      case certInit: {
        const { values } = configured as Configured<typeof certInit>;
        return await pki.certInit(deps, {
          commonName: values.commonname,
          keyType: values.keytype,
          bits: values.bits,
          notBefore: values.notbefore,
          notAfter: values.notafter,
          outCert: values.outcert,
          outKey: values.outkey,
        });
      }
      case certMakeReq: {
        const { values } = configured as Configured<typeof certMakeReq>;
        return await pki.certMakeRequest({
          commonName: values.commonname,
          keyType: values.keytype,
          bits: values.bits,
          dnsNames: values.dnsname,
          ipAddresses: values.ipaddress,
          nodeIds: values.nodeid,
          outReq: values.outreq,
          inKey: values.inkey,
          outKey: values.outkey,
        });
      }
      case certSignReq: {
        const { values } = configured as Configured<typeof certSignReq>;
        return await pki.certSignRequest(deps, {
          req: values.req,
          caCert: values.cacert,
          caKey: values.cakey,
          notBefore: values.notbefore,
          notAfter: values.notafter,
          outCert: values.outcert,
          verify: values.verify,
        });
      }
      case certMesh: {
        const { values } = configured as Configured<typeof certMesh>;
        return await pki.certMesh(deps, {
          nodes: values.node,
          outDir: values.outdir,
          commonName: values.commonname,
          keyType: values.keytype,
          bits: values.bits,
          notAfter: values.notafter,
        });
      }
      default:
        throw new TypeError(`not a certificate command: ${configured.action.name}`);
    }
  } catch (cause) {
    throw failedAction(configured, cause);
  }
}

/** Longest answer to a question. */
const MAX_ANSWER_BYTES = 1024;

function terminal(): CommandIo {
  const input = new LineReader({
    read: (into) => Deno.stdin.read(into),
    write: (bytes) => Deno.stdout.write(bytes),
    closeWrite: () => Promise.resolve(),
    close() {},
  });
  return {
    write: (text) => void Deno.stdout.writeSync(new TextEncoder().encode(text)),
    readLine: () => input.readLine({ maxBytes: MAX_ANSWER_BYTES, unfinished: "line" }),
  };
}

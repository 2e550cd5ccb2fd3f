/** `cert-init`: makes a new certificate authority. */
import { makeAuthorityCertificate } from "./certificate_authority.ts";
import type { CommandDeps } from "./command_io.ts";
import { formatPrivateKey, generateKey, parseKeySpec } from "./key_pair.ts";
import { readValidity, type ValidityOptions } from "./validity.ts";
import { writeFiles } from "./write_files.ts";

const CA_YEARS = 10;

export interface CertInitOptions extends ValidityOptions {
  readonly commonName: string;
  /** `rsa` (default) or `ec`. */
  readonly keyType?: string | undefined;
  /** 0 or undefined for the default of the type. */
  readonly bits?: number | undefined;
  /** File names. */
  readonly outCert: string;
  readonly outKey: string;
}

/** Writes both files. Throws an `Error` that says which parameter or file is wrong. */
export async function certInit(deps: CommandDeps, options: CertInitOptions): Promise<void> {
  const { commonName, outCert, outKey } = options;
  if (commonName === "") throw new Error("must provide CommonName");
  const spec = parseKeySpec(options);
  const validity = readValidity(deps.clock, CA_YEARS, options);
  const key = await generateKey(spec);
  const certificate = await makeAuthorityCertificate(deps.random, key, { commonName, ...validity });
  await writeFiles([
    { path: outCert, contents: certificate },
    { path: outKey, contents: formatPrivateKey(key) },
  ]);
}

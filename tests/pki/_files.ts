/** Certificate files in their own folder, and a log and clock to watch what becomes of them. */
import type { Log } from "../../lib/base/log.ts";
import { VirtualClock } from "../sim/virtual_clock.ts";
import { TempFolder } from "../support/temp_folder.ts";
import type { Issued } from "./_certificates.ts";

/** Keeps what was logged, as `level message`. */
export class KeptLog implements Log {
  readonly lines: string[] = [];
  error = (message: string) => void this.lines.push(`error ${message}`);
  warning = (message: string) => void this.lines.push(`warning ${message}`);
  info = (message: string) => void this.lines.push(`info ${message}`);
  debug = (message: string) => void this.lines.push(`debug ${message}`);

  /** What came since the last call. */
  take(): string[] {
    return this.lines.splice(0);
  }
}

export class CertificateFolder implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly log = new KeptLog();

  private constructor(readonly folder: TempFolder) {}

  static async create(): Promise<CertificateFolder> {
    return new CertificateFolder(await TempFolder.create());
  }

  /** The path of a file in the folder. */
  path(name: string): string {
    return this.folder.join(name);
  }

  /** Writes `contents` so that a check of the file's times and size notices. */
  async write(name: string, contents: string): Promise<string> {
    const temporary = this.path(`${name}.tmp`);
    await Deno.writeTextFile(temporary, contents);
    await Deno.rename(temporary, this.path(name));
    return this.path(name);
  }

  /** Writes `<name>.crt`, with `chain` after the certificate, and `<name>.key`. */
  async writePair(name: string, issued: Issued, ...chain: Issued[]) {
    const cert = [issued, ...chain].map(({ cert }) => cert).join("");
    return {
      cert: await this.write(`${name}.crt`, cert),
      key: await this.write(`${name}.key`, issued.key),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.folder[Symbol.asyncDispose]();
  }
}

/** `text` without the folder's path, to compare messages with. */
export function without(folder: CertificateFolder, text: string): string {
  return text.replaceAll(`${folder.folder.path}/`, "");
}

/** A private folder (mode 0700) that is gone with its contents when the test ends. */
import { join } from "node:path";

export class TempFolder implements AsyncDisposable {
  private constructor(readonly path: string) {}

  /** Short names, because a unix socket path holds 107 bytes at most. */
  static async create(): Promise<TempFolder> {
    return new TempFolder(await Deno.makeTempDir({ prefix: "rt-" }));
  }

  join(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true }).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
}

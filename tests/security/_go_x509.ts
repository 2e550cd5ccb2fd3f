/** The second verifier in Go, `go_x509`, for those who have a Go toolchain. */
import { fileURLToPath } from "node:url";
import { LineReader } from "../../lib/base/line_reader.ts";
import { TempFolder } from "../support/temp_folder.ts";

const SOURCES = fileURLToPath(new URL("go_x509", import.meta.url));
const LINE_BYTES = 1024 * 1024;

export interface GoAnswer {
  OK: boolean;
  Reason: string;
  Port: number;
}

export interface GoRequest {
  Do: "verify" | "serve" | "dial";
  Roots?: Uint8Array[];
  Chain: Uint8Array[];
  Purpose?: "server" | "client";
  /** Milliseconds since 1970. */
  Now?: number;
  /** "" for any. */
  Host?: string;
  Key?: Uint8Array;
  Port?: number;
}

export class GoX509 implements AsyncDisposable {
  readonly #folder: TempFolder;
  readonly #child: Deno.ChildProcess;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #answers: LineReader;

  private constructor(folder: TempFolder, child: Deno.ChildProcess) {
    this.#folder = folder;
    this.#child = child;
    this.#stdin = child.stdin.getWriter();
    const stdout = child.stdout.getReader({ mode: "byob" });
    this.#answers = new LineReader({
      async read(into) {
        const { value, done } = await stdout.read(new Uint8Array(into.length));
        if (done || value === undefined) return null;
        into.set(value);
        return value.length;
      },
      write: (bytes) => Promise.resolve(bytes.length),
      closeWrite: () => Promise.resolve(),
      close() {},
    });
  }

  static async start(): Promise<GoX509> {
    const folder = await TempFolder.create();
    const program = folder.join("go_x509");
    const { success, stderr } = await new Deno.Command("go", {
      args: ["build", "-o", program, "."],
      cwd: SOURCES,
      env: { CGO_ENABLED: "0" },
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    const child = new Deno.Command(program, { stdin: "piped", stdout: "piped" }).spawn();
    return new GoX509(folder, child);
  }

  /** One request at a time. */
  async ask(request: GoRequest): Promise<GoAnswer> {
    const text = JSON.stringify(
      request,
      (_, value) => value instanceof Uint8Array ? value.toBase64() : value,
    );
    await this.#stdin.write(new TextEncoder().encode(`${text}\n`));
    const answer = await this.#answers.readLine({ maxBytes: LINE_BYTES });
    if (answer === null) throw new Error(`no answer to ${text.slice(0, 200)}`);
    return JSON.parse(answer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stdin.close();
    await this.#answers.read(new Uint8Array(1));
    await this.#child.status;
    await this.#folder[Symbol.asyncDispose]();
  }
}

const hasGo = await new Deno.Command("go", { args: ["version"], stdout: "null" })
  .output().then(({ success }) => success, () => false);

/** Skipped by name where there is no Go. */
export function goTest(name: string, fn: (go: GoX509) => Promise<void>): void {
  Deno.test({
    name: hasGo ? name : `${name} (skipped: no go)`,
    ignore: !hasGo,
    async fn() {
      await using go = await GoX509.start();
      await fn(go);
    },
  });
}

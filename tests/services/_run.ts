/** Runs a program of the system to its end. */
import { testEnvironment } from "../support/program.ts";

/** Well above what any of them takes on a busy machine. */
const TIMEOUT_MS = 120_000;

/** Resolves to what it printed on stdout; throws with what it said if it fails. */
export async function run(
  [file, ...args]: readonly string[],
  options: { readonly stdin?: Uint8Array; readonly env?: Record<string, string> } = {},
): Promise<Uint8Array> {
  const child = new Deno.Command(file!, {
    args,
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    clearEnv: true,
    env: testEnvironment(options.env),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).spawn();
  const feeding = options.stdin === undefined ? undefined : feed(child.stdin, options.stdin);
  const { success, stdout, stderr } = await child.output();
  await feeding;
  if (!success) {
    const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("\n");
    throw new Error(`${file} ${args.join(" ")} failed:\n${said.slice(-4000)}`);
  }
  return stdout;
}

/** As `run`, for text. */
export async function runText(
  command: readonly string[],
  options: Parameters<typeof run>[1] = {},
): Promise<string> {
  return new TextDecoder().decode(await run(command, options));
}

/** A program that ends early says why by itself. */
async function feed(stdin: WritableStream<Uint8Array>, bytes: Uint8Array): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(bytes);
    await writer.close();
  } catch {
    await writer.abort().catch(() => {});
  }
}

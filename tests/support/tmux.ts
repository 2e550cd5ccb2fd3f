/** A terminal with a user in front of it, by tmux. */
import { clientCommand, type ClientKind } from "./peers.ts";
import { eventually } from "./eventually.ts";
import { testEnvironment } from "./program.ts";
import { TempFolder } from "./temp_folder.ts";

/** What `TERM` says in it. */
export const TMUX_TERM = "screen-256color";

export class Tmux implements AsyncDisposable {
  readonly #folder: TempFolder;

  private constructor(folder: TempFolder) {
    this.#folder = folder;
  }

  /** Opens a window of 100 columns and 30 rows in which a shell runs `script`. */
  static async start(script: string): Promise<Tmux> {
    const tmux = new Tmux(await TempFolder.create());
    try {
      await Deno.writeTextFile(
        tmux.#folder.join("config"),
        `set -g default-terminal ${TMUX_TERM}\nset -g escape-time 0\n`,
      );
      await tmux.#run("new-session", "-d", "-x", "100", "-y", "30", "/bin/sh", "-c", script);
      return tmux;
    } catch (error) {
      await tmux[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Types keys, by tmux's names for them. */
  async keys(...keys: string[]): Promise<void> {
    await this.#run("send-keys", ...keys);
  }

  /** Types a line. */
  async line(text: string): Promise<void> {
    await this.#run("send-keys", "-l", text);
    await this.keys("Enter");
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#run("resize-window", "-x", String(columns), "-y", String(rows));
  }

  /** What is on the screen, with its colours as escape sequences if `colours`. */
  async screen(colours = false): Promise<string> {
    return await this.#run("capture-pane", "-p", ...(colours ? ["-e"] : []));
  }

  /** Resolves to the screen when it shows `pattern`. */
  async shows(pattern: RegExp, options: { colours?: boolean } = {}): Promise<string> {
    let screen = "";
    return await eventually(async () => {
      screen = await this.screen(options.colours);
      return pattern.test(screen) && screen;
    }, { intervalMs: 100, what: () => `${pattern} on the screen:\n${screen}` });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#run("kill-server").catch(() => {});
    await this.#folder[Symbol.asyncDispose]();
  }

  async #run(...args: string[]): Promise<string> {
    const { success, stdout, stderr } = await new Deno.Command("tmux", {
      args: ["-S", this.#folder.join("socket"), "-f", this.#folder.join("config"), ...args],
      stdin: "null",
      clearEnv: true,
      env: testEnvironment({ LC_ALL: "C.UTF-8", TERM: "xterm" }),
    }).output();
    if (!success) throw new Error(`tmux ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  }
}

/** A command line, for a shell, of a receptorctl. */
export function receptorctlLine(kind: ClientKind, socket: string, args: string): string {
  const words = [...clientCommand(kind), "--socket", socket];
  return `${words.map((word) => `'${word}'`).join(" ")} ${args}`;
}

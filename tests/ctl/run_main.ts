/** Runs receptorctl's `main` in this process and keeps what it says. */
import { type Clock, systemClock } from "../../lib/base/clock.ts";
import type { Window } from "../../lib/ctl/ctl.ts";
import { main, type World } from "../../lib/ctl/main.ts";

export interface RunOptions {
  clock?: Clock;
  environment?: Record<string, string>;
  /** Standard input, passed on chunk by chunk; empty by default. */
  stdin?: readonly Uint8Array[];
  stdinIsTerminal?: boolean;
  interrupted?: AbortSignal;
  /** There is none by default. */
  window?: Partial<Window>;
  /** Standard error is a terminal. */
  terminal?: boolean;
  /** Called with each piece of standard output. */
  onOutput?: (text: string) => void;
}

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
  /** Calls of `setRaw`. */
  raw: boolean[];
}

export async function runMain(
  words: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const result: RunResult = { code: -1, stdout: "", stderr: "", raw: [] };
  const output = (name: "stdout" | "stderr") => ({
    write(bytes: Uint8Array) {
      const text = new TextDecoder().decode(bytes);
      result[name] += text;
      if (name === "stdout") options.onOutput?.(text);
      return Promise.resolve(bytes.length);
    },
    isTerminal: () => options.terminal ?? false,
  });
  const left = [...(options.stdin ?? [])];
  const world: World = {
    version: "0.1.0",
    clock: options.clock ?? systemClock,
    environment: (name) => options.environment?.[name],
    stdin: {
      read(into) {
        const chunk = left.shift();
        if (chunk !== undefined) into.set(chunk);
        // A user at a terminal who stops typing does not end the input.
        else if (options.stdinIsTerminal) return new Promise(() => {});
        return Promise.resolve(chunk?.length ?? null);
      },
      isTerminal: () => options.stdinIsTerminal ?? false,
      setRaw: (raw) => void result.raw.push(raw),
    },
    window: {
      size: () => undefined,
      onResize: () => ({ [Symbol.dispose]() {} }),
      ...options.window,
    },
    stdout: output("stdout"),
    stderr: output("stderr"),
    interrupted: options.interrupted ?? new AbortController().signal,
  };
  result.code = await main(words, world);
  return result;
}

/** `receptor`: the daemon. What concerns the process itself is here: signals, outputs, exit code. */
import { runReceptor } from "./lib/daemon/command_line.ts";

/** A node that is asked to stop and hangs is ended after this long, in milliseconds. */
const LONGEST_STOP_MS = 5_000;

const output = {
  // deno-lint-ignore no-console -- the program's own output
  print: (text: string) => console.log(text),
  // deno-lint-ignore no-console -- the program's own output
  complain: (text: string) => console.error(text),
};

// A mistake of ours in one connection must not end the jobs and links of all others.
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  output.complain(`Unexpected error, please report it: ${event.reason?.stack ?? event.reason}`);
});

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => {
    // Whoever asks twice does not want to wait for a clean end.
    if (stop.signal.aborted) Deno.exit(1);
    stop.abort(new Error(`stopped by ${signal}`));
    setTimeout(() => {
      output.complain("Parts of the node did not stop in time; leaving them.");
      Deno.exit(1);
    }, LONGEST_STOP_MS);
  });
}

Deno.exit(await runReceptor(Deno.args, output, stop.signal));

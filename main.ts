/** `receptor`: the daemon. What concerns the process itself is here: signals, outputs, exit code. */
import { runReceptor } from "./lib/daemon/command_line.ts";

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => {
    // Whoever asks twice does not want to wait for a clean end.
    if (stop.signal.aborted) Deno.exit(1);
    stop.abort(new Error(`stopped by ${signal}`));
  });
}

const output = {
  print: (text: string) => console.log(text),
  complain: (text: string) => console.error(text),
};
Deno.exit(await runReceptor(Deno.args, output, stop.signal));

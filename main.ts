/** `receptor`: the daemon. This handles the process itself: signals, outputs, exit code. */
import { runReceptor } from "./lib/daemon/command_line.ts";

/** A node that hangs when asked to stop is ended after this long, in milliseconds. */
const LONGEST_STOP_MS = 5_000;

// deno-lint-ignore no-console -- the program's own output
const print = (text: string) => console.log(text);
// deno-lint-ignore no-console -- the program's own output
const complain = (text: string) => console.error(text);

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => {
    // A second request means: do not wait for a clean end.
    if (stop.signal.aborted) Deno.exit(1);
    stop.abort(new Error(`stopped by ${signal}`));
    setTimeout(() => {
      complain("Parts of the node did not stop in time; leaving them.");
      Deno.exit(1);
    }, LONGEST_STOP_MS);
  });
}

function onHangup(listener: () => void): Disposable {
  Deno.addSignalListener("SIGHUP", listener);
  return { [Symbol.dispose]: () => Deno.removeSignalListener("SIGHUP", listener) };
}

const host = { print, complain, stop: stop.signal, onHangup, errors: globalThis };
Deno.exit(await runReceptor(Deno.args, host));

/** receptorctl, the command line client of a Receptor node. */
import { systemClock } from "./lib/base/clock.ts";
import { ExitCode } from "./lib/ctl/ctl_error.ts";
import { consoleWindow } from "./lib/ctl/console_window.ts";
import { main } from "./lib/ctl/main.ts";
import { VERSION } from "./lib/daemon/version.ts";

const interrupt = new AbortController();
Deno.addSignalListener("SIGINT", () => {
  if (interrupt.signal.aborted) Deno.exit(ExitCode.Interrupted);
  interrupt.abort(new Error("interrupted"));
});

Deno.exit(
  await main(Deno.args, {
    version: VERSION,
    clock: systemClock,
    environment: (name) => Deno.env.get(name),
    stdin: Deno.stdin,
    window: consoleWindow,
    stdout: Deno.stdout,
    stderr: Deno.stderr,
    interrupted: interrupt.signal,
  }),
);

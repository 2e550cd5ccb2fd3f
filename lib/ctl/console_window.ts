/** The window of the terminal that this program was started in. */
import type { Window } from "./ctl.ts";

export const consoleWindow: Window = {
  size() {
    try {
      return Deno.consoleSize();
    } catch {
      // There is no terminal.
      return undefined;
    }
  },
  onResize(listener) {
    Deno.addSignalListener("SIGWINCH", listener);
    return { [Symbol.dispose]: () => Deno.removeSignalListener("SIGWINCH", listener) };
  },
};

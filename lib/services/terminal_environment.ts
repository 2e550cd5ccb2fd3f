/** What the command of a command-service finds in its environment (docs/services.md). */

/** Taken over from the node: who and where it is, and how it speaks. */
const TAKEN_OVER = /^(HOME|LOGNAME|USER|SHELL|PATH|LANG|LANGUAGE|LC_[A-Z]+|TZ)$/;
/** Where commands are, if the node does not know: the usual places. */
const USUAL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** The kind of terminal, if the client does not say. Every system knows it, and it has colours. */
const USUAL_TERMINAL = "xterm-256color";

/** Nothing else of the node's own: that may be secret. */
export function terminalEnvironment(
  ofNode: Readonly<Record<string, string>>,
  terminal = USUAL_TERMINAL,
): Record<string, string> & { PATH: string } {
  const taken = Object.entries(ofNode).filter(([name]) => TAKEN_OVER.test(name));
  return { PATH: USUAL_PATH, ...Object.fromEntries(taken), TERM: terminal };
}

/** How the environment that a self-extracting file was started with gets through its launcher. */

/** The part of `Deno.env` that this needs. */
interface Environment {
  get(name: string): string | undefined;
  set(name: string, value: string): void;
  delete(name: string): void;
  toObject(): Record<string, string>;
}

/**
 * Gives a program the environment that its launcher was started with, so that jobs and other
 * children get exactly that. The launcher is a shell, which drops names that no variable can have,
 * adds some of its own, and sets what keeps Deno's caches in our folder; it leaves what it was
 * given, as `/proc` has it, in pieces of base64 in `RECEPTOR_OUTER_ENVIRONMENT_0` and so on, their
 * number in `RECEPTOR_OUTER_ENVIRONMENT`. Without these, the environment is left as it is.
 *
 * This goes into the built programs as text (see bundle.ts), so it may use nothing outside itself.
 */
export function restoreEnvironment(environment: Environment): void {
  const prefix = "RECEPTOR_OUTER_ENVIRONMENT";
  const pieces = environment.get(prefix);
  if (pieces === undefined) return;
  let base64 = "";
  for (let index = 0; index < Number(pieces); index++) {
    base64 += environment.get(`${prefix}_${index}`) ?? "";
  }
  const given = new Map<string, string>();
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let bytes = Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0));
  while (bytes.length > 0) {
    const end = bytes.indexOf(0);
    const entry = end === -1 ? bytes : bytes.subarray(0, end);
    bytes = bytes.subarray(entry.length + 1);
    try {
      const [, name, value] = decoder.decode(entry).match(/^([^=]+)=(.*)$/s)!;
      given.set(name!, value!);
    } catch {
      // No text, or no entry: Deno does not show it either, and children inherit it as it is.
    }
  }
  const present = new Map(Object.entries(environment.toObject()));
  for (const name of present.keys()) if (!given.has(name)) environment.delete(name);
  for (const [name, value] of given) {
    if (present.get(name) !== value) environment.set(name, value);
  }
}

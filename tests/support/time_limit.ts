/**
 * Gives every test a time limit: one that hangs fails, by its name, and the others still run. To be
 * preloaded (`deno test --preload=tests/support/time_limit.ts`); a failed test is then reported
 * without its place in the file, so this is for runs that nobody watches.
 */

/** Several times what the longest test takes on a busy machine. */
const LIMIT_MS = 10 * 60_000;

const register = Deno.test as (...args: unknown[]) => void;

/** Takes all the forms that `Deno.test` takes. */
function registerLimited(...args: unknown[]): void {
  const [first, second, ...rest] = args;
  const timeout = LIMIT_MS;
  if (typeof first === "function") return register({ timeout }, first);
  if (typeof first === "object") return register({ timeout, ...first }, ...args.slice(1));
  if (typeof second === "object") return register(first, { timeout, ...second }, ...rest);
  register(first, { timeout }, second);
}

Object.assign(Deno, { test: Object.assign(registerLimited, Deno.test) });

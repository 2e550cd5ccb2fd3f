/** What the observers of all rooms have in common: objects whose methods are all optional. */
import type { Log } from "./log.ts";

type Method = ((event: never) => void) | undefined;

/** The names of an observer's methods; the compiler ensures that none is missing. */
export type MethodsOf<O> = { readonly [Name in keyof Required<O>]: true };

/**
 * Turns `observer` into one that has every method and never throws: what a method throws is logged
 * as an error in an observer of `what`.
 */
export function guardObserver<O extends { [Name in keyof O]: Method }>(
  observer: O,
  methods: MethodsOf<O>,
  { log, what }: { readonly log: Pick<Log, "error">; readonly what: string },
): Required<O> {
  const guard = (name: keyof O) => (event: never) => {
    try {
      observer[name]?.(event);
    } catch (error) {
      log.error(`Error in an observer of ${what}: ${error}`);
    }
  };
  const names = Object.keys(methods) as (keyof O)[];
  return Object.fromEntries(names.map((name) => [name, guard(name)])) as Required<O>;
}

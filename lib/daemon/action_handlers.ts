/** What the daemon does for each kind of action, each with the values that its action declares. */
import type { ActionSpec, ConfigOf, Configured } from "../config/action.ts";

type Handler<A extends ActionSpec, Deps, Result> = (values: ConfigOf<A>, deps: Deps) => Result;

/** A table from actions to handlers; the types of a handler's values follow from its action. */
export class ActionHandlers<Deps, Result> {
  readonly #handlers = new Map<ActionSpec, Handler<ActionSpec, Deps, Result>>();

  on<A extends ActionSpec>(action: A, handler: Handler<A, Deps, Result>): this {
    // `handle` looks up a handler by the same action whose values it then passes.
    this.#handlers.set(action, handler as Handler<ActionSpec, Deps, Result>);
    return this;
  }

  handles({ action }: Pick<Configured<ActionSpec>, "action">): boolean {
    return this.#handlers.has(action);
  }

  /** Throws what the handler throws, and a `TypeError` for an action without one. */
  handle({ action, values }: Configured<ActionSpec>, deps: Deps): Result {
    const handler = this.#handlers.get(action);
    if (handler === undefined) throw new TypeError(`no handler for the action ${action.name}`);
    return handler(values, deps);
  }
}

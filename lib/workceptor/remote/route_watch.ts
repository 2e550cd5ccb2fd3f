/** Tells when the route to a node is lost and when it is back. */
import type { Mesh } from "../../netceptor/mesh.ts";

export interface RouteEvents {
  readonly lost: () => void;
  readonly regained: () => void;
}

export class RouteWatch implements Disposable {
  readonly #mesh: Pick<Mesh, "hasRoute">;
  readonly #node: string;
  readonly #events: RouteEvents;
  readonly #listening: Disposable;
  #hadRoute: boolean;

  constructor(
    mesh: Pick<Mesh, "hasRoute" | "onRoutesChanged">,
    node: string,
    events: RouteEvents,
  ) {
    this.#mesh = mesh;
    this.#node = node;
    this.#events = events;
    this.#hadRoute = mesh.hasRoute(node);
    this.#listening = mesh.onRoutesChanged(() => this.look());
  }

  /** Looks for a change that was not reported. */
  look(): void {
    const hasRoute = this.#mesh.hasRoute(this.#node);
    if (hasRoute === this.#hadRoute) return;
    this.#hadRoute = hasRoute;
    if (hasRoute) this.#events.regained();
    else this.#events.lost();
  }

  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]();
  }
}

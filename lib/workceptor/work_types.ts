/** The work types of this node by name. */
import { ControlError } from "../control/control_error.ts";
import type { AdvertisedWorkType } from "../netceptor/mesh.ts";
import type { WorkType } from "./work_type.ts";
import { refusals } from "./work_texts.ts";

export class WorkTypes {
  readonly #types = new Map<string, WorkType>();

  /** Throws a `TypeError` if the name is taken. */
  register(name: string, type: WorkType): void {
    if (this.#types.has(name)) throw new TypeError(refusals.workTypeRegistered(name));
    this.#types.set(name, type);
  }

  get(name: string): WorkType | undefined {
    return this.#types.get(name);
  }

  /** The type that runs `name` on this node. Throws a `ControlError` if there is none. */
  here(name: string): WorkType {
    const type = this.#types.get(name);
    if (type?.runs !== "here") throw new ControlError(refusals.unknownWorkType(name));
    return type;
  }

  /** The type, with its name, that takes work for other nodes. Throws a `ControlError` if none. */
  elsewhere(): [name: string, type: WorkType] {
    const found = [...this.#types].find(([, type]) => type.runs === "elsewhere");
    if (found === undefined) throw new ControlError(refusals.noWorkElsewhere);
    return found;
  }

  /** What is advertised to the mesh. */
  advertised(): AdvertisedWorkType[] {
    return [...this.#types]
      .filter(([, { runs }]) => runs === "here")
      .map(([WorkType, type]) => ({ WorkType, Secure: type.requiresSignature(false) }));
  }
}

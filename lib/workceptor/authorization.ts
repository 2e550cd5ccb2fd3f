/** Who may give a command about work: anybody, or whoever signs it. */
import { ControlError } from "../control/control_error.ts";
import type { Authorization } from "../control/work_service.ts";
import { refusals } from "./work_texts.ts";
import type { WorkTypes } from "./work_types.ts";

/** Rejects with a `ControlError` if a signature is not valid. */
export type VerifySignature = (signature: string) => Promise<void>;

/** What a command is about. */
export interface AuthorizedWork {
  readonly workType: string;
  /** Whether the submitter asked for signatures. */
  readonly signWork: boolean;
}

export class Authorizer {
  readonly #types: WorkTypes;
  readonly #verify: VerifySignature | undefined;

  /** Without `verify` no verifying key is configured, and no signature is valid. */
  constructor(types: WorkTypes, verify: VerifySignature | undefined) {
    this.#types = types;
    this.#verify = verify;
  }

  /**
   * Rejects with a `ControlError` if the command is not allowed. As in the Go daemon, a caller on
   * the Unix socket needs no signature, and a signature that is not required is an error.
   */
  async check(work: AuthorizedWork, { caller, signature }: Authorization): Promise<void> {
    const type = this.#types.get(work.workType);
    if (type?.requiresSignature(work.signWork) !== true) {
      if (signature !== "") throw new ControlError(refusals.unexpectedSignature);
      return;
    }
    if (caller.via === "unix") return;
    if (signature === "") throw new ControlError(refusals.emptySignature);
    if (this.#verify === undefined) throw new ControlError(refusals.noVerifyingKey);
    await this.#verify(signature);
  }
}

/** Who may give a command about work: anybody, or whoever signs it. */
import { ControlError } from "../control/control_error.ts";
import type { Authorization, Caller } from "../control/work_service.ts";
import { refusals } from "./work_texts.ts";
import type { WorkTypes } from "./work_types.ts";

/**
 * Rejects with a `ControlError` if a signature is not valid for `command`, as `signed_command.ts`
 * writes it.
 */
export type VerifySignature = (signature: string, command: string) => Promise<void>;

/** What a command is about. */
export interface AuthorizedWork {
  readonly workType: string;
  /** Whether the submitter asked for signatures. */
  readonly signWork: boolean;
  /** As `signed_command.ts` writes it. */
  readonly command: string;
}

export interface AuthorizerDeps {
  readonly types: WorkTypes;
  /** Absent: no verifying key is configured, and no signature is good. */
  readonly verifySignature?: VerifySignature | undefined;
}

export class Authorizer {
  readonly #types: WorkTypes;
  readonly #verify: VerifySignature | undefined;
  readonly #signFor: readonly string[];

  /** `signFor` are the nodes for which this one signs work, if their certificates name them. */
  constructor(deps: AuthorizerDeps, options: { signFor?: readonly string[] | undefined }) {
    this.#types = deps.types;
    this.#verify = deps.verifySignature;
    this.#signFor = options.signFor ?? [];
  }

  /**
   * Throws a `ControlError` unless this caller's work for other nodes may be signed with our key:
   * whoever has it signed may do there what we may. The Go daemon signs for anybody.
   */
  checkSigning({ via, certifiedNodes = [] }: Caller): void {
    if (via === "unix" || certifiedNodes.some((node) => this.#signFor.includes(node))) return;
    throw new ControlError(refusals.notSigned);
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
    await this.#verify(signature, work.command);
  }
}

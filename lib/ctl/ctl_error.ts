/** A failure that ends receptorctl, with the exit code that scripts rely on. */

/** Exit codes other than 0, as the original's client has them. */
export const ExitCode = {
  General: 1,
  PingFailed: 2,
  ReloadNotReloadable: 3,
  ReloadBrokenConfig: 4,
  ReloadOther: 5,
  SubmitFailed: 101,
  /** A second Ctrl-C: 128 and SIGINT. */
  Interrupted: 130,
} as const;

export class CtlError extends Error {
  override readonly name: string = "CtlError";
  constructor(
    message: string,
    readonly exitCode: number = ExitCode.General,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The command line is not what the command takes; shown together with its usage. */
export class UsageError extends CtlError {
  override readonly name: string = "UsageError";
}

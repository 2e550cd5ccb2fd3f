/** Why the configuration was not reloaded, as the control protocol tells it. */

export const ReloadErrorCode = {
  /** A change needs a restart. */
  NotReloadable: 3,
  /** The file cannot be read, parsed or run. */
  BrokenConfig: 4,
} as const;
export type ReloadErrorCode = (typeof ReloadErrorCode)[keyof typeof ReloadErrorCode];

/** receptorctl exits with `code`. */
export class ReloadError extends Error {
  override readonly name = "ReloadError";
  constructor(message: string, readonly code: ReloadErrorCode, options?: ErrorOptions) {
    super(message, options);
  }
}

/** `Status` objects, in which an API server says how a request went, as errors. */
import { printable } from "../../../base/printable.ts";
import { KubeError } from "./kube_error.ts";

/** The parts of a `Status` that are read; anything may be missing. */
export interface KubeStatus {
  readonly kind?: unknown;
  readonly status?: unknown;
  readonly message?: unknown;
  readonly reason?: unknown;
  readonly code?: unknown;
  readonly details?: { readonly retryAfterSeconds?: unknown } | undefined;
}

/** Longest text of an answer that is not a `Status`, in an error. */
const MAX_TEXT = 200;
/** More than any server means seriously. */
const MAX_RETRY_AFTER_S = 3600;

/** What a refusing answer says. `retryAfter` is its header. */
export function errorOfAnswer(
  { status, statusText, text, retryAfter }: {
    readonly status: number;
    readonly statusText: string;
    readonly text: string;
    readonly retryAfter: string | undefined;
  },
): KubeError {
  const object = asStatus(text);
  const headerMs = retryAfterMs(Number(retryAfter ?? NaN));
  if (object === undefined) {
    const said = printable(text.slice(0, MAX_TEXT).trim());
    const message = `the server answered ${statusText}${said === "" ? "" : `: ${said}`}`;
    return new KubeError(message, { code: status, retryAfterMs: headerMs });
  }
  return errorOfStatus(object, { code: status, retryAfterMs: headerMs });
}

/** What a `Status` says, which may have come in a stream; `outer` is known from elsewhere. */
export function errorOfStatus(
  { message, reason, code, details }: KubeStatus,
  outer: { readonly code?: number; readonly retryAfterMs?: number | undefined } = {},
): KubeError {
  const textOf = (value: unknown) => typeof value === "string" && value !== "" ? value : undefined;
  const named = textOf(reason);
  return new KubeError(textOf(message) ?? named ?? "the server gives no reason", {
    code: outer.code ?? (typeof code === "number" ? code : undefined),
    reason: named,
    retryAfterMs: outer.retryAfterMs ?? retryAfterMs(Number(details?.retryAfterSeconds ?? NaN)),
  });
}

function asStatus(text: string): KubeStatus | undefined {
  try {
    const object = JSON.parse(text) as KubeStatus | null;
    return object?.kind === "Status" ? object : undefined;
  } catch {
    return undefined;
  }
}

function retryAfterMs(seconds: number): number | undefined {
  return seconds >= 0 ? 1000 * Math.min(seconds, MAX_RETRY_AFTER_S) : undefined;
}

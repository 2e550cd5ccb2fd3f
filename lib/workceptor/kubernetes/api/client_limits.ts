/**
 * How many requests a client makes at most: client-go's token bucket, with the settings of the
 * original (`RECEPTOR_KUBE_CLIENTSET_…`).
 */
import { type Clock, sleep } from "../../../base/clock.ts";
import type { Log } from "../../../base/log.ts";
import { KubeError } from "./kube_error.ts";

export type ClientLimits =
  | { readonly kind: "bucket"; readonly perSecond: number; readonly burst: number }
  | { readonly kind: "unlimited" }
  /** The original has this setting; no request is ever made. */
  | { readonly kind: "never" };

/** The settings as text; undefined for those that are not set. */
export interface ClientLimitSettings {
  readonly qps?: string | undefined;
  readonly burst?: string | undefined;
  readonly rateLimiter?: string | undefined;
}

/** The original's. */
const DEFAULT_QPS = 100;
const BURST_PER_QPS = 10;
/** client-go's, which a 0 stands for. */
const CLIENT_GO_QPS = 5;
const CLIENT_GO_BURST = 10;

/** What settings mean; one that is not a number is logged and left out, as in the original. */
export function clientLimits(settings: ClientLimitSettings, log: Log): ClientLimits {
  const { rateLimiter } = settings;
  if (rateLimiter === "never") return { kind: "never" };
  if (rateLimiter === "always") return { kind: "unlimited" };
  const wholeNumber = (name: string, text: string | undefined) => {
    if (text === undefined) return undefined;
    if (/^[+-]?\d{1,9}$/.test(text)) return Number(text);
    log.warning(`Invalid value for ${name}: ${JSON.stringify(text.slice(0, 40))}. Ignoring`);
    return undefined;
  };
  const qps = wholeNumber("RECEPTOR_KUBE_CLIENTSET_QPS", settings.qps) ?? DEFAULT_QPS;
  const burst = wholeNumber("RECEPTOR_KUBE_CLIENTSET_BURST", settings.burst) ??
    BURST_PER_QPS * qps;
  if (qps < 0) return { kind: "unlimited" };
  return { kind: "bucket", perSecond: qps || CLIENT_GO_QPS, burst: burst || CLIENT_GO_BURST };
}

/** Lets requests through at the rate that the limits allow, in the order in which they ask. */
export class RequestRate {
  readonly #clock: Clock;
  readonly #limits: ClientLimits;
  /** Below zero: so many requests already wait. */
  #tokens: number;
  #countedAt: number;

  constructor(clock: Clock, limits: ClientLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#tokens = limits.kind === "bucket" ? limits.burst : 0;
    this.#countedAt = clock.now();
  }

  /** Resolves when a request may be made. Rejects with the signal's reason, or a `KubeError`. */
  async take(signal: AbortSignal): Promise<void> {
    const limits = this.#limits;
    if (limits.kind === "unlimited") return;
    if (limits.kind === "never") throw new KubeError("the rate limiter lets no request through");
    const now = this.#clock.now();
    const gained = (now - this.#countedAt) / 1000 * limits.perSecond;
    this.#tokens = Math.min(limits.burst, this.#tokens + gained) - 1;
    this.#countedAt = now;
    if (this.#tokens >= 0) return;
    try {
      await sleep(this.#clock, -this.#tokens / limits.perSecond * 1000, { signal });
    } catch (error) {
      this.#tokens++;
      throw error;
    }
  }
}

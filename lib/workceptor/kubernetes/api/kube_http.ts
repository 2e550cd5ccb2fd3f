/** Requests to an API server: who we are, how often we ask, and what its answers mean. */
import { type Clock, sleep } from "../../../base/clock.ts";
import { deadline } from "../../../base/deadline.ts";
import type { RequestRate } from "./client_limits.ts";
import type { Credentials, Header } from "./credentials.ts";
import type { Exchange, HttpClient } from "./http_client.ts";
import type { HttpRequest } from "./http_conn.ts";
import { asKubeError, KubeError } from "./kube_error.ts";
import { errorOfAnswer } from "./kube_status.ts";
import { readExchange } from "./read_exchange.ts";
import { type RequestKind, retryDelayMs } from "./retry_rules.ts";

export interface KubeRequest {
  readonly method: HttpRequest["method"];
  /** Below the server's URL, such as `/api/v1/namespaces/default/pods`. */
  readonly path: string;
  /** Those that are undefined are left out. */
  readonly query?: Readonly<Record<string, string | boolean | number | undefined>> | undefined;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: readonly Header[] | undefined;
  readonly kind: RequestKind;
  /** How long to wait for the head of the answer; `undefined` where that can take for ever. */
  readonly headLimitMs: number | undefined;
}

export interface KubeHttpDeps {
  readonly clock: Clock;
  readonly http: HttpClient;
  readonly credentials: Credentials;
  readonly rate: RequestRate;
  readonly server: URL;
}

/** What a server that is alive needs to answer, with much to spare. */
export const ANSWER_LIMIT_MS = 60_000;
/** A page of a list is the largest answer: 500 pods of up to 100 KB. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
const MAX_ERROR_BYTES = 256 * 1024;

export class KubeHttp {
  readonly #deps: KubeHttpDeps;

  constructor(deps: KubeHttpDeps) {
    this.#deps = deps;
  }

  /** Makes a request and parses the whole answer. Rejects as `KubeApi` says. */
  async json<T>(request: KubeRequest, signal: AbortSignal): Promise<T> {
    return await this.#repeated(request, signal, async (stop) => {
      // The answer as a whole must come in time, not just its head.
      using limit = this.#limit(request.headLimitMs);
      const exchange = await this.#attempt(request, AbortSignal.any([stop, limit.signal]));
      const { bytes, more } = await readExchange(exchange, MAX_ANSWER_BYTES);
      if (more) throw new KubeError(`the server's answer has more than ${MAX_ANSWER_BYTES} bytes`);
      try {
        return JSON.parse(new TextDecoder().decode(bytes)) as T;
      } catch {
        throw new KubeError("the server's answer is not JSON: is this a Kubernetes API server?");
      }
    });
  }

  /** Makes a request whose answer is read by the caller, who must release the exchange. */
  async stream(request: KubeRequest, signal: AbortSignal): Promise<Exchange> {
    return await this.#repeated(request, signal, async (stop) => {
      using limit = this.#limit(request.headLimitMs);
      const head = new AbortController();
      const over = () => head.abort(limit.signal.reason);
      const exchange = this.#attempt(request, AbortSignal.any([stop, head.signal]));
      limit.signal.addEventListener("abort", over, { once: true });
      try {
        return await exchange;
      } finally {
        limit.signal.removeEventListener("abort", over);
      }
    });
  }

  #limit(limitMs: number | undefined) {
    return deadline(
      this.#deps.clock,
      limitMs,
      () => new KubeError(`the server gave no answer within ${limitMs! / 1000} s`),
    );
  }

  async #repeated<T>(
    { kind }: KubeRequest,
    signal: AbortSignal,
    attempt: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    for (let count = 1;; count++) {
      try {
        signal.throwIfAborted();
        return await attempt(signal);
      } catch (error) {
        signal.throwIfAborted();
        const delayMs = retryDelayMs(error, count, kind);
        if (delayMs === undefined || this.#deps.http.closed) throw asKubeError(error);
        await sleep(this.#deps.clock, delayMs, { signal });
      }
    }
  }

  /** Asks once, and once more with new credentials if the server does not know us. */
  async #attempt(request: KubeRequest, signal: AbortSignal): Promise<Exchange> {
    const { credentials, http, rate } = this.#deps;
    for (let renewed = false;; renewed = true) {
      await rate.take(signal);
      const who = await credentials.headers(signal);
      const exchange = await http.exchange(this.#httpRequest(request, who), signal);
      const { status, statusText, headers } = exchange.answer;
      if (status < 300) return exchange;
      const { bytes } = await readExchange(exchange, MAX_ERROR_BYTES);
      if (status === 401 && !renewed) {
        credentials.refused(who.find(([name]) => name === "Authorization")?.[1]);
        // Their client certificates may be outdated too.
        http.closeIdle();
        continue;
      }
      const text = new TextDecoder().decode(bytes);
      throw errorOfAnswer({ status, statusText, text, retryAfter: headers.get("retry-after") });
    }
  }

  #httpRequest(request: KubeRequest, who: readonly Header[]): HttpRequest {
    const { server } = this.#deps;
    const { method, path, query = {}, body } = request;
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) search.append(name, String(value));
    }
    const headers: Header[] = [["Host", server.host], ["User-Agent", "receptor"], ...who];
    if (request.headers === undefined) headers.push(["Accept", "application/json, */*"]);
    else headers.push(...request.headers);
    if (body !== undefined) headers.push(["Content-Type", "application/json"]);
    const target = server.pathname.replace(/\/$/, "") + path;
    return {
      method,
      target: search.size === 0 ? target : `${target}?${search}`,
      headers,
      body: body === undefined ? undefined : new TextEncoder().encode(JSON.stringify(body)),
    };
  }
}

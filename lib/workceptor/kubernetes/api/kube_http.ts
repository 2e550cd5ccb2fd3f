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

/** An answer that has begun. Disposing ends the limit of its time, not the answer. */
interface Attempt extends Disposable {
  readonly exchange: Exchange;
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
    return await this.#repeated(request, signal, async () => {
      // The answer as a whole must come in time, not just its head.
      using attempt = await this.#attempt(request, signal);
      const { bytes, more } = await readExchange(attempt.exchange, MAX_ANSWER_BYTES);
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
    return await this.#repeated(request, signal, async () => {
      using attempt = await this.#attempt(request, signal);
      return attempt.exchange;
    });
  }

  async #repeated<T>(
    { kind }: KubeRequest,
    signal: AbortSignal,
    attempt: () => Promise<T>,
  ): Promise<T> {
    for (let count = 1;; count++) {
      try {
        signal.throwIfAborted();
        return await attempt();
      } catch (error) {
        signal.throwIfAborted();
        const delayMs = retryDelayMs(error, count, kind);
        if (delayMs === undefined || this.#deps.http.closed) throw asKubeError(error);
        await sleep(this.#deps.clock, delayMs, { signal });
      }
    }
  }

  /** Asks once, and once more with new credentials if the server does not know us. */
  async #attempt(request: KubeRequest, signal: AbortSignal): Promise<Attempt> {
    const { credentials, http, rate } = this.#deps;
    for (let renewed = false;; renewed = true) {
      await rate.take(signal);
      const who = await credentials.headers(signal);
      const attempt = await this.#ask(this.#httpRequest(request, who), request, signal);
      const { status, statusText, headers } = attempt.exchange.answer;
      if (status < 300) return attempt;
      using _limit = attempt;
      const { bytes } = await readExchange(attempt.exchange, MAX_ERROR_BYTES);
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

  async #ask(
    httpRequest: HttpRequest,
    { headLimitMs }: KubeRequest,
    signal: AbortSignal,
  ): Promise<Attempt> {
    const { clock, http } = this.#deps;
    const tooLate = () =>
      new KubeError(`the server gave no answer within ${headLimitMs! / 1000} s`);
    const limit = deadline(clock, headLimitMs, tooLate);
    try {
      const exchange = await http.exchange(httpRequest, AbortSignal.any([signal, limit.signal]));
      return { exchange, [Symbol.dispose]: () => limit[Symbol.dispose]() };
    } catch (error) {
      limit[Symbol.dispose]();
      throw error;
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

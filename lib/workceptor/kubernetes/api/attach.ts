/** Opens attach sessions: over WebSocket if the server's can half-close, else over SPDY. */
import { hasToken } from "../../../backends/http_head.ts";
import { acceptValue, newKey, WEBSOCKET_VERSION } from "../../../backends/websocket_handshake.ts";
import type { Clock } from "../../../base/clock.ts";
import type { Random } from "../../../base/random.ts";
import { attachSession, type AttachTransport } from "./attach_channels.ts";
import { AttachSpdy, SPDY_PROTOCOL } from "./attach_spdy.ts";
import { AttachWebSocket, WEBSOCKET_PROTOCOL } from "./attach_websocket.ts";
import type { Header } from "./credentials.ts";
import type { Exchange } from "./http_client.ts";
import type { AttachOptions, AttachSession } from "./kube_api.ts";
import { KubeError } from "./kube_error.ts";
import { ANSWER_LIMIT_MS, type KubeHttp } from "./kube_http.ts";

export interface AttacherDeps {
  readonly http: Pick<KubeHttp, "stream">;
  readonly clock: Clock;
  readonly random: Random;
}

/** How long a server that has no WebSocket for us is not asked for it again: it may be upgraded. */
const SPDY_MEMORY_MS = 10 * 60_000;

export class Attacher {
  readonly #deps: AttacherDeps;
  #spdyUntil = -Infinity;

  constructor(deps: AttacherDeps) {
    this.#deps = deps;
  }

  /** `path` is that of the pod's `attach`. See `KubeApi.attach`. */
  async open(path: string, options: AttachOptions, signal: AbortSignal): Promise<AttachSession> {
    const { stdout = false, stderr = false } = options;
    return attachSession(await this.#connect(path, options, signal), { stdout, stderr });
  }

  async #connect(
    path: string,
    options: AttachOptions,
    signal: AbortSignal,
  ): Promise<AttachTransport> {
    const { clock } = this.#deps;
    if (clock.now() >= this.#spdyUntil) {
      try {
        return await this.#webSocket(path, options, signal);
      } catch (error) {
        if (!mayHaveSpdy(error)) throw error;
      }
    }
    const transport = await this.#spdy(path, options, signal);
    if (clock.now() >= this.#spdyUntil) this.#spdyUntil = clock.now() + SPDY_MEMORY_MS;
    return transport;
  }

  async #webSocket(
    path: string,
    options: AttachOptions,
    signal: AbortSignal,
  ): Promise<AttachTransport> {
    const key = newKey(this.#deps.random);
    const exchange = await this.#upgrade("GET", path, options, [
      ["Upgrade", "websocket"],
      ["Connection", "Upgrade"],
      ["Sec-WebSocket-Key", key],
      ["Sec-WebSocket-Version", WEBSOCKET_VERSION],
      ["Sec-WebSocket-Protocol", WEBSOCKET_PROTOCOL],
    ], signal);
    const { headers } = exchange.answer;
    const valid = switchedTo(exchange, "websocket") &&
      headers.get("sec-websocket-accept") === await acceptValue(key);
    if (!valid || headers.get("sec-websocket-protocol") !== WEBSOCKET_PROTOCOL) {
      exchange.release();
      throw new NoUpgradeError(`the server does not speak WebSocket with ${WEBSOCKET_PROTOCOL}`);
    }
    return new AttachWebSocket(exchange.detach(), this.#deps);
  }

  async #spdy(
    path: string,
    options: AttachOptions,
    signal: AbortSignal,
  ): Promise<AttachTransport> {
    const exchange = await this.#upgrade("POST", path, options, [
      ["Upgrade", "SPDY/3.1"],
      ["Connection", "Upgrade"],
      ["X-Stream-Protocol-Version", SPDY_PROTOCOL],
      ["Content-Length", "0"],
    ], signal);
    const protocol = exchange.answer.headers.get("x-stream-protocol-version");
    if (!switchedTo(exchange, "spdy/3.1") || protocol !== SPDY_PROTOCOL) {
      exchange.release();
      throw new NoUpgradeError(
        `the server speaks neither WebSocket with ${WEBSOCKET_PROTOCOL} nor SPDY with ` +
          SPDY_PROTOCOL,
      );
    }
    return new AttachSpdy(exchange.detach(), this.#deps.clock, options);
  }

  #upgrade(
    method: "GET" | "POST",
    path: string,
    options: AttachOptions,
    headers: readonly Header[],
    signal: AbortSignal,
  ): Promise<Exchange> {
    const { container, stdin, stdout = false, stderr = false } = options;
    return this.#deps.http.stream({
      method,
      path,
      query: { container, stdin, stdout, stderr },
      headers,
      // A second session beside one that we do not know of would take part of its output.
      kind: "once",
      headLimitMs: ANSWER_LIMIT_MS,
    }, signal);
  }
}

/** The server answered in HTTP where another protocol was asked for. */
class NoUpgradeError extends KubeError {}

function switchedTo({ answer }: Exchange, protocol: string): boolean {
  return answer.status === 101 && hasToken(answer.headers.get("upgrade"), protocol) &&
    hasToken(answer.headers.get("connection"), "upgrade");
}

/**
 * Whether an error of WebSocket says nothing of SPDY. Servers refuse a WebSocket that they do not
 * know with diverse codes, and a role may allow `create` of `pods/attach` (SPDY) but not `get`.
 */
function mayHaveSpdy(error: unknown): boolean {
  if (error instanceof NoUpgradeError) return true;
  if (!(error instanceof KubeError) || error.code === undefined) return false;
  const { code, reason } = error;
  return code !== 401 && code !== 429 && !(code === 404 && reason === "NotFound");
}

/**
 * An API server with pods but no containers: what happens to a pod is what the test says. It gives
 * what a healthy cluster does not: refusals, silence, cuts at any byte, watches that are too old.
 */
import type { LinkServerTls } from "../../../lib/backends/tls.ts";
import type { ByteConn } from "../../../lib/base/byte_conn.ts";
import type { KubeEvent, Pod } from "../../../lib/workceptor/kubernetes/api/kube_api.ts";
import { type FakeAttach, type FakeTerminal, serveAttach } from "./fake_attach.ts";
import { FakeLog } from "./fake_log.ts";
import { type PeerAnswer, type PeerRequest, servePeer } from "./http_peer.ts";

/** Answers a request instead of the server. */
export type Fault = (request: PeerRequest, answer: PeerAnswer) => Promise<void> | void;

export interface FakeKubeOptions {
  /** Serves TLS. */
  readonly tls?: LinkServerTls | undefined;
  /** Requests must have it, if given; may be changed. */
  readonly token?: string | undefined;
}

/** One pod, by `namespace/name`. */
export class FakePod {
  readonly log = new FakeLog();
  /** What has come on stdin, over all attaches. */
  readonly stdin: Uint8Array[] = [];
  /** Resolves with the end of stdin. */
  readonly stdinEnd = Promise.withResolvers<void>();
  /** All attaches so far; the last one is the present one. */
  readonly attaches: FakeAttach[] = [];

  constructor(public pod: Pod) {}
}

interface Change {
  readonly version: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly namespace: string;
  readonly pod: Pod;
}

const PODS = /^\/api\/v1\/namespaces\/([^/]+)\/pods(?:\/([^/]+)(?:\/(log|attach))?)?$/;
const EVENTS = /^\/api\/v1\/namespaces\/[^/]+\/events$/;

export class FakeKube implements AsyncDisposable {
  /** All requests so far. */
  readonly requests: PeerRequest[] = [];
  readonly pods = new Map<string, FakePod>();
  events: KubeEvent[] = [];
  token: string | undefined;
  /** Called for each new pod. */
  onCreate: (pod: FakePod) => void = () => {};
  /** Watches that began before this version are told that it is gone. */
  oldestVersion = 0;
  /** Deleted pods stay until `remove`, as while their containers end. */
  slowDeletion = false;
  readonly #tls: LinkServerTls | undefined;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #serving: Promise<void>;
  readonly #ending = new AbortController();
  readonly #conns = new Set<ByteConn>();
  #faults: { readonly matches: (request: PeerRequest) => boolean; readonly fault: Fault }[] = [];
  #version = 100;
  #changes: Change[] = [];
  #changed = Promise.withResolvers<void>();

  constructor({ tls, token }: FakeKubeOptions = {}) {
    this.#tls = tls;
    this.token = token;
    this.#serving = this.#serve();
  }

  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  get url(): string {
    return `${this.#tls === undefined ? "http" : "https"}://${this.address}`;
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#conns.size;
  }

  /** A kubeconfig for this server; `user` and `cluster` are in JSON. */
  kubeconfig({ user = {}, cluster = {} }: { user?: unknown; cluster?: unknown } = {}): string {
    return JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "fake",
      contexts: [{ name: "fake", context: { cluster: "fake", user: "fake" } }],
      clusters: [{ name: "fake", cluster: { server: this.url, ...(cluster as object) } }],
      users: [{ name: "fake", user }],
    });
  }

  /** The next request that matches is answered by `fault`. */
  next(matches: RegExp | ((request: PeerRequest) => boolean), fault: Fault): void {
    const test = matches instanceof RegExp
      ? ({ method, path }: PeerRequest) => matches.test(`${method} ${path}`)
      : matches;
    this.#faults.push({ matches: test, fault });
  }

  /** Changes a pod and tells the watchers. */
  change(key: string, change: (pod: Pod) => Pod): void {
    const known = this.pods.get(key)!;
    this.#record("MODIFIED", key, known, change(known.pod));
  }

  /** The pod is gone. */
  remove(key: string): void {
    const known = this.pods.get(key)!;
    this.pods.delete(key);
    known.log.end();
    this.#record("DELETED", key, known, known.pod);
  }

  /** Ends all connections, as a restart of the server does. */
  cutAll(): void {
    for (const conn of this.#conns) conn.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    this.#listener.close();
    this.cutAll();
    await this.#serving;
  }

  async #serve(): Promise<void> {
    const serving = new Set<Promise<void>>();
    try {
      for await (const conn of this.#listener) {
        const served = this.#serveConn(conn).finally(() => serving.delete(served));
        serving.add(served);
      }
    } finally {
      await Promise.all(serving);
    }
  }

  async #serveConn(conn: Deno.TcpConn): Promise<void> {
    let open: ByteConn = conn;
    let closed = false;
    if (this.#tls !== undefined) {
      const { acceptTls } = await import("../../../lib/backends/tls.ts");
      try {
        open = (await acceptTls(conn, this.#tls, { from: "client" })).conn;
      } catch {
        return;
      }
    }
    const closing: ByteConn = {
      read: (into) => open.read(into),
      write: (bytes) => open.write(bytes),
      closeWrite: () => open.closeWrite(),
      close: () => {
        if (closed) return;
        closed = true;
        open.close();
      },
    };
    this.#conns.add(closing);
    if (this.#ending.signal.aborted) closing.close();
    await servePeer(closing, (request, answer) => this.#answer(request, answer));
    this.#conns.delete(closing);
  }

  async #answer(request: PeerRequest, answer: PeerAnswer): Promise<void> {
    this.requests.push(request);
    const at = this.#faults.findIndex(({ matches }) => matches(request));
    if (at !== -1) {
      const [first] = this.#faults.splice(at, 1);
      return await first!.fault(request, answer);
    }
    if (
      this.token !== undefined && request.headers.get("authorization") !== `Bearer ${this.token}`
    ) return await answer.json(401, status(401, "Unauthorized", "Unauthorized"));
    if (request.path === "/version") return await answer.json(200, { gitVersion: "v1.30.14" });
    if (EVENTS.test(request.path)) return await answer.json(200, { items: this.events });
    const match = PODS.exec(request.path);
    if (match === null) return await answer.whole(404, "404 page not found\n");
    const [, namespace, name, part] = match as unknown as [string, string, string?, string?];
    if (name === undefined) return await this.#answerPods(namespace, request, answer);
    const key = `${namespace}/${name}`;
    const known = this.pods.get(key);
    if (known === undefined) {
      return await answer.json(404, status(404, "NotFound", `pods "${name}" not found`));
    }
    if (part === "log") return await this.#answerLog(known, request, answer);
    if (part === "attach") return await this.#answerAttach(known, request, answer);
    if (request.method === "DELETE") return await this.#delete(key, known, request, answer);
    await answer.json(200, known.pod);
  }

  async #answerPods(namespace: string, request: PeerRequest, answer: PeerAnswer): Promise<void> {
    if (request.method === "POST") return await this.#create(namespace, request, answer);
    if (request.query.get("watch") === "true") return await this.#watch(namespace, request, answer);
    const items = [...this.pods]
      .filter(([key, { pod }]) => key.startsWith(`${namespace}/`) && selected(request, pod))
      .map(([, { pod }]) => pod);
    await answer.json(200, { items, metadata: { resourceVersion: String(this.#version) } });
  }

  async #create(namespace: string, { body }: PeerRequest, answer: PeerAnswer): Promise<void> {
    const pod = JSON.parse(body) as Pod;
    const name = pod.metadata?.name ??
      `${pod.metadata?.generateName ?? ""}${crypto.randomUUID().slice(0, 5)}`;
    const key = `${namespace}/${name}`;
    if (this.pods.has(key)) {
      const text = `pods "${name}" already exists`;
      return await answer.json(409, status(409, "AlreadyExists", text));
    }
    const known = new FakePod(pod);
    this.pods.set(key, known);
    const metadata = { ...pod.metadata, name, namespace, uid: crypto.randomUUID() };
    const created = { ...pod, metadata, status: { phase: "Pending" } };
    this.#record("ADDED", key, known, created);
    await answer.json(201, known.pod);
    this.onCreate(known);
  }

  async #delete(
    key: string,
    { pod }: FakePod,
    { body }: PeerRequest,
    answer: PeerAnswer,
  ): Promise<void> {
    const { preconditions } = JSON.parse(body || "{}");
    if (preconditions !== undefined && preconditions.uid !== pod.metadata?.uid) {
      return await answer.json(409, status(409, "Conflict", "Precondition failed: UID"));
    }
    if (this.slowDeletion) {
      const deletionTimestamp = "2026-01-01T00:00:00Z";
      this.change(key, (now) => ({ ...now, metadata: { ...now.metadata, deletionTimestamp } }));
    } else this.remove(key);
    await answer.json(200, pod);
  }

  async #watch(namespace: string, request: PeerRequest, answer: PeerAnswer): Promise<void> {
    const from = Number(request.query.get("resourceVersion") ?? 0);
    await answer.beginChunks();
    const send = (object: unknown) =>
      answer.chunk(new TextEncoder().encode(`${JSON.stringify(object)}\n`));
    if (from < this.oldestVersion) {
      await send({ type: "ERROR", object: status(410, "Expired", "too old resource version") });
      return await answer.endChunks();
    }
    const gone = answer.clientGone();
    let ended = false;
    void gone.then(() => ended = true);
    for (let at = 0; !ended && !this.#ending.signal.aborted;) {
      const change = this.#changes[at];
      if (change === undefined) await Promise.race([this.#changed.promise, gone]);
      else {
        at++;
        const wanted = change.version > from && change.namespace === namespace &&
          selected(request, change.pod);
        if (wanted) await send({ type: change.type, object: change.pod });
      }
    }
  }

  async #answerLog({ log }: FakePod, { query }: PeerRequest, answer: PeerAnswer): Promise<void> {
    const gone = new AbortController();
    void answer.clientGone().then(() => gone.abort());
    await answer.beginChunks();
    const lines = log.read({
      timestamps: query.get("timestamps") === "true",
      follow: query.get("follow") === "true",
      sinceTime: query.get("sinceTime") ?? undefined,
    }, gone.signal);
    for await (const line of lines) await answer.chunk(line);
    await answer.endChunks();
    // Somebody listens for the client's end on this connection.
    answer.reusable = false;
  }

  async #answerAttach(known: FakePod, request: PeerRequest, answer: PeerAnswer): Promise<void> {
    await serveAttach(request, answer, (attach): FakeTerminal => {
      known.attaches.push(attach);
      return {
        onStdin: (bytes) => void known.stdin.push(bytes),
        onStdinEnd: () => known.stdinEnd.resolve(),
        onEnd: () => {},
      };
    });
  }

  #record(type: Change["type"], key: string, known: FakePod, pod: Pod): void {
    const version = ++this.#version;
    known.pod = { ...pod, metadata: { ...pod.metadata, resourceVersion: String(version) } };
    this.#changes.push({ version, type, namespace: key.split("/")[0]!, pod: known.pod });
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** A `Status` object. */
export function status(code: number, reason: string, message: string): unknown {
  return { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message };
}

/** A fault: the connection ends after so many bytes of the log's data. */
export function cutLogAfter(log: FakeLog, bytes: number): Fault {
  return async ({ query }, answer) => {
    await answer.beginChunks();
    let left = bytes;
    const request = {
      timestamps: query.get("timestamps") === "true",
      follow: query.get("follow") === "true",
      sinceTime: query.get("sinceTime") ?? undefined,
    };
    if (left > 0) {
      for await (const line of log.read(request, new AbortController().signal)) {
        const part = line.subarray(0, left);
        await answer.chunk(part);
        left -= part.length;
        if (left === 0) break;
      }
    }
    answer.cut();
  };
}

/** Label selectors of the form `name=value` and `name`, joined by commas. */
function selected({ query }: PeerRequest, { metadata }: Pod): boolean {
  const labels: Record<string, string> = metadata?.labels ?? {};
  return (query.get("labelSelector") ?? "").split(",").filter((term) => term !== "")
    .every((term) => {
      const [name, value] = term.split("=", 2) as [string, string?];
      return value === undefined ? Object.hasOwn(labels, name) : labels[name] === value;
    });
}

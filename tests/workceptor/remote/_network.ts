/**
 * A few nodes in one process: each has a workceptor behind a real control server, and reaches the
 * others through streams in memory that a test can cut at any byte, or through no route at all.
 */
import { type Clock, systemClock } from "../../../lib/base/clock.ts";
import { silentLog } from "../../../lib/base/log.ts";
import { ControlServer } from "../../../lib/control/server.ts";
import type { WorkService } from "../../../lib/control/work_service.ts";
import type { MeshConn } from "../../../lib/netceptor/mesh.ts";
import type { RemoteAccess } from "../../../lib/workceptor/remote/remote_access.ts";
import { FakeMesh } from "../../control/fakes.ts";

/** Bytes that one direction holds before a write waits. */
const CAPACITY = 64 * 1024;

/** One direction of a stream. */
class Pipe {
  #chunks: Uint8Array[] = [];
  #size = 0;
  #ended = false;
  #readFailure: Error | undefined;
  #writeFailure: Error | undefined;
  #failure: Error | undefined;
  #changed = Promise.withResolvers<void>();
  /** Bytes that still pass before the stream breaks. */
  left = Infinity;
  #stalled = false;

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#size === 0 || this.#stalled) {
      if (this.#readFailure) throw this.#readFailure;
      if (this.#ended && this.#size === 0 && !this.#stalled) return null;
      await this.#changed.promise;
    }
    const chunk = this.#chunks[0]!;
    const count = Math.min(chunk.length, into.length);
    into.set(chunk.subarray(0, count));
    if (count === chunk.length) this.#chunks.shift();
    else this.#chunks[0] = chunk.subarray(count);
    this.#size -= count;
    this.#notify();
    return count;
  }

  async write(bytes: Uint8Array): Promise<number> {
    while (!this.#writeFailure && this.#size >= CAPACITY) await this.#changed.promise;
    if (this.#failure && this.left <= 0) throw this.#failure;
    if (this.#writeFailure) throw this.#writeFailure;
    if (this.#ended) throw new Error("write after the end");
    const taken = bytes.slice(0, Math.min(CAPACITY - this.#size, this.left));
    this.left -= taken.length;
    if (taken.length > 0) this.#chunks.push(taken);
    this.#size += taken.length;
    this.#notify();
    return taken.length;
  }

  /** Whether a write fails instead of the stream breaking. */
  get fails(): boolean {
    return this.#failure !== undefined;
  }

  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** What was written but not read is lost, as when a connection is reset. */
  break(error: Error): void {
    this.breakReader(error);
    this.breakWriter(error);
    this.#chunks = [];
    this.#size = 0;
  }

  /** Only the reader learns that the stream is broken. */
  breakReader(error: Error): void {
    this.#readFailure ??= error;
    this.#notify();
  }

  /** What is written does not arrive until this ends. */
  stall(stalled: boolean): void {
    this.#stalled = stalled;
    this.#notify();
  }

  /** A write fails with `error` once this many bytes have passed. */
  failAfter(bytes: number, error: Error): void {
    this.left = bytes;
    this.#failure = error;
  }

  /** Only the writer learns that the stream is broken. */
  breakWriter(error: Error): void {
    this.#writeFailure ??= error;
    this.#notify();
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

/** A stream between two nodes. */
class Stream {
  readonly there = new Pipe();
  readonly back = new Pipe();
  /** The listener's end does not notice a break, as when a node dies and its packets just cease. */
  isSilent = false;
  #over = Promise.withResolvers<Error | undefined>();
  #closed = 0;

  /** The dialler's and the listener's end. */
  ends(dialler: string, listener: string): [MeshConn, MeshConn] {
    return [this.#end(this.back, this.there, listener), this.#end(this.there, this.back, dialler)];
  }

  get over(): Promise<unknown> {
    return this.#over.promise;
  }

  break(reason = "connection lost"): void {
    const error = new Error(reason);
    if (this.isSilent) {
      this.there.breakWriter(error);
      this.back.breakReader(error);
      return;
    }
    this.there.break(error);
    this.back.break(error);
    this.#over.resolve(error);
  }

  #end(incoming: Pipe, outgoing: Pipe, remoteNode: string): MeshConn {
    let closed = false;
    return {
      remoteNode,
      remoteService: "control",
      tellsWindow: false,
      secure: false,
      closed: this.#over.promise,
      read: (into) => incoming.read(into),
      write: async (bytes) => {
        const count = await outgoing.write(bytes);
        if (outgoing.left <= 0 && !outgoing.fails) this.break();
        return count;
      },
      closeWrite: () => {
        outgoing.end();
        return Promise.resolve();
      },
      close: () => {
        if (closed) return;
        closed = true;
        outgoing.end();
        incoming.break(new Error("read from a closed stream"));
        if (++this.#closed === 2) this.#over.resolve(undefined);
      },
      abort: () => {
        closed = true;
        this.break("the peer broke the stream off");
      },
    };
  }
}

/** What a test may do to a stream. */
export interface CuttableStream {
  readonly there: { left: number; end(): void; failAfter(bytes: number, error: Error): void };
  readonly back: { left: number };
  isSilent: boolean;
  break(): void;
}

interface Node {
  readonly id: string;
  work: WorkService | undefined;
  readonly listeners: Set<() => void>;
}

export class Network implements AsyncDisposable {
  readonly #nodes = new Map<string, Node>();
  readonly #streams = new Set<Stream>();
  readonly #sessions = new Set<Promise<void>>();
  readonly #ending = new AbortController();
  #up = true;
  /** Streams dialled so far. */
  dials = 0;
  /** How often any node has looked for a route. */
  lookups = 0;
  /** Called with each new stream: may set `left` of a direction to have it cut there. */
  onDial: (stream: CuttableStream) => void = () => {};
  readonly #clock: Clock;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** The slice of the mesh that `id` sees. */
  mesh(id: string): RemoteAccess["mesh"] {
    const node = this.#node(id);
    return {
      hasRoute: (to) => {
        this.lookups++;
        return this.#up && this.#nodes.get(to)?.work !== undefined;
      },
      onRoutesChanged: (listener) => {
        node.listeners.add(listener);
        return { [Symbol.dispose]: () => void node.listeners.delete(listener) };
      },
      dial: (to, _service, options) => {
        options?.signal?.throwIfAborted();
        return Promise.resolve().then(() => this.#dial(id, to));
      },
    };
  }

  /** Puts `work` behind the control service of node `id`; `undefined` takes the node away. */
  serve(id: string, work: WorkService | undefined): void {
    this.#node(id).work = work;
    if (work === undefined) this.breakStreams();
    this.#routesChanged();
  }

  /** Takes all routes away, or gives them back. Streams stay as they are. */
  setUp(up: boolean): void {
    this.#up = up;
    this.#routesChanged();
  }

  /** Stops everything from arriving over the existing streams, or lets it arrive again. */
  stall(stalled: boolean): void {
    for (const { there, back } of this.#streams) {
      there.stall(stalled);
      back.stall(stalled);
    }
  }

  /** Breaks every existing stream. */
  breakStreams(): void {
    for (const stream of [...this.#streams]) stream.break();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort(new Error("test is over"));
    for (const stream of this.#streams) stream.isSilent = false;
    this.breakStreams();
    await Promise.all(this.#sessions);
  }

  #node(id: string): Node {
    const node = this.#nodes.get(id) ?? { id, work: undefined, listeners: new Set() };
    this.#nodes.set(id, node);
    return node;
  }

  #routesChanged(): void {
    for (const { listeners } of this.#nodes.values()) {
      for (const listener of [...listeners]) listener();
    }
  }

  #dial(from: string, to: string): MeshConn {
    const work = this.#nodes.get(to)?.work;
    if (!this.#up || work === undefined) throw new Error("no route to node");
    this.dials++;
    const stream = new Stream();
    this.#streams.add(stream);
    this.onDial(stream);
    const [near, far] = stream.ends(from, to);
    const server = new ControlServer({
      mesh: Object.assign(new FakeMesh(), { nodeId: to }),
      system: { version: "test", cpuCount: 1, memoryMiB: 1 },
      work,
      clock: this.#clock,
      log: silentLog,
    });
    const caller = { via: "mesh", secure: false, description: from } as const;
    const session = server.serve(far, caller, this.#ending.signal).finally(() => {
      this.#sessions.delete(session);
      this.#streams.delete(stream);
    });
    this.#sessions.add(session);
    return near;
  }
}

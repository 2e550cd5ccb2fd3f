/**
 * The stream method `tcp`: the worker connects to us, at the address in its environment, gets the
 * payload on that connection and writes its output to it.
 */
import { type Clock, sleep } from "../../base/clock.ts";
import { messageOf } from "../../base/error_message.ts";
import { writeFully } from "../../base/durable_file.ts";
import type { UnitLedger } from "../unit_ledger.ts";
import type { WorkerEnd } from "./worker_end.ts";

/** Between looks for the end of a worker that does not connect. */
const LOOK_MS = 1_000;

export class TcpExchange implements Disposable {
  readonly #listener: Deno.TcpListener;
  readonly #host: string;
  #open = true;

  private constructor(host: string) {
    this.#host = host;
    this.#listener = Deno.listen({ hostname: host, port: 0 });
  }

  /** Listens on the first address that other machines can reach. Throws if there is none. */
  static listen(): TcpExchange {
    const reachable = Deno.networkInterfaces().filter(({ address, scopeid }) =>
      !address.startsWith("127.") && address !== "::1" && !scopeid
    );
    const found = reachable.find(({ family }) => family === "IPv4") ?? reachable[0];
    if (found === undefined) {
      throw new Error("Error listening: could not determine local address");
    }
    return new TcpExchange(found.address);
  }

  /** For the worker. */
  get environment(): Record<string, string> {
    const { port } = this.#listener.addr;
    return { RECEPTOR_HOST: this.#host, RECEPTOR_PORT: String(port) };
  }

  /** The worker's connection; undefined if it has ended without one, or takes too long. */
  async accept(
    worker: WorkerEnd,
    { clock, overdueInMs, signal }: { clock: Clock; overdueInMs: number; signal: AbortSignal },
  ): Promise<Deno.TcpConn | undefined> {
    const overdueAt = clock.now() + overdueInMs;
    const accepting = this.#listener.accept().catch(() => undefined);
    const looking = new AbortController();
    const both = AbortSignal.any([signal, looking.signal]);
    const givenUp = (async () => {
      while (worker.state === undefined && clock.now() < overdueAt) {
        await sleep(clock, LOOK_MS, { signal: both });
      }
    })().catch(() => undefined);
    const conn = await Promise.race([accepting, givenUp]);
    looking.abort();
    this.#close();
    signal.throwIfAborted();
    if (conn !== undefined) return conn;
    // It may have connected at the very moment.
    return await accepting;
  }

  /** Resolves when the worker has closed the connection, to what went wrong. */
  async exchange(
    conn: Deno.TcpConn,
    { store, id, changes }: UnitLedger,
    { onSent, signal }: { onSent: () => Promise<void>; signal: AbortSignal },
  ): Promise<string | undefined> {
    const stop = () => conn.close();
    signal.addEventListener("abort", stop, { once: true });
    using output = await store.openStdout(id);
    const sending = (async () => {
      const payload = await store.readStdin(id);
      await payload.readable.pipeTo(conn.writable, { preventClose: true, signal });
      await conn.closeWrite();
      await onSent();
    })().then(() => undefined, (error) => `Error sending stdin to pod: ${messageOf(error)}`);
    let problem: string | undefined;
    try {
      const buffer = new Uint8Array(64 * 1024);
      for (let count; (count = await conn.read(buffer)) !== null;) {
        await writeFully(output, buffer.subarray(0, count));
        changes.notify();
      }
    } catch (error) {
      problem = `Error reading stdout from pod: ${messageOf(error)}`;
    } finally {
      signal.removeEventListener("abort", stop);
    }
    const sendProblem = await sending;
    if (!signal.aborted) stop();
    signal.throwIfAborted();
    return problem ?? sendProblem;
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#listener.close();
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}

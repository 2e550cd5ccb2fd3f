/**
 * The byte streams of one attach session, whatever carries them. A transport feeds `output` with
 * what comes for each stream, and takes what is written to stdin.
 */
import type { AttachEnd, AttachSession } from "./kube_api.ts";
import { asKubeError, KubeError } from "./kube_error.ts";
import type { KubeStatus } from "./kube_status.ts";

/** What carries an attach session. */
export interface AttachTransport {
  /** Resolves when the connection has taken the bytes. */
  writeStdin(bytes: Uint8Array): Promise<void>;
  /** The end of stdin. */
  closeStdin(): Promise<void>;
  /** Ends the connection; `receive` then ends too. May be repeated. */
  close(): void;
  /**
   * Hands all that arrives to `sink`, waiting for it each time, until the connection ends. Rejects
   * if that is an error.
   */
  receive(sink: OutputSink): Promise<void>;
}

export type OutputName = "stdout" | "stderr";

export interface OutputSink {
  /** Resolves when there is room for more. `bytes` are copied. */
  output(name: OutputName, bytes: Uint8Array): Promise<void>;
  /** A part of the server's statement of the end, which is a `Status` in JSON. */
  status(bytes: Uint8Array): void;
}

/** The statement is a few hundred bytes. */
const MAX_STATUS_BYTES = 64 * 1024;

export interface AttachedStreams {
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** Takes over `transport`. */
export function attachSession(transport: AttachTransport, streams: AttachedStreams): AttachSession {
  const outputs = {
    stdout: streams.stdout ? new OutputStream() : undefined,
    stderr: streams.stderr ? new OutputStream() : undefined,
  };
  const status: Uint8Array[] = [];
  let statusBytes = 0;
  const received = transport.receive({
    output: async (name, bytes) => await outputs[name]?.put(bytes.slice()),
    status: (bytes) => {
      statusBytes += bytes.length;
      if (statusBytes > MAX_STATUS_BYTES) throw new KubeError("the server's status is too long");
      status.push(bytes.slice());
    },
  });
  const done = received
    .catch((error) => {
      // What comes after the statement is no concern of ours.
      if (statusBytes === 0) throw error;
    })
    .then(() => endOf(status))
    .then((end) => {
      for (const output of Object.values(outputs)) output?.close();
      return end;
    }, (error) => {
      for (const output of Object.values(outputs)) output?.fail(asKubeError(error));
      throw asKubeError(error);
    })
    .finally(() => transport.close());
  done.catch(() => {});
  return {
    stdin: new WritableStream({
      write: (bytes) => transport.writeStdin(bytes),
      close: () => transport.closeStdin(),
      abort: () => transport.close(),
    }),
    stdout: outputs.stdout?.readable,
    stderr: outputs.stderr?.readable,
    done,
    async [Symbol.asyncDispose]() {
      const closed = new KubeError("the session with the container has been closed");
      for (const output of Object.values(outputs)) output?.fail(closed);
      transport.close();
      await done.catch(() => {});
    },
  };
}

function endOf(parts: readonly Uint8Array[]): AttachEnd {
  const decoder = new TextDecoder();
  const text = parts.map((part) => decoder.decode(part, { stream: true })).join("");
  if (text === "") {
    throw new KubeError("the connection to the container ended without a word from the server");
  }
  let status: KubeStatus | null;
  try {
    status = JSON.parse(text);
  } catch {
    // Before version 4 of the protocol it was plain text, for failures only.
    status = { status: "Failure", message: text };
  }
  if (status?.status === "Success") return { success: true };
  return {
    success: false,
    reason: typeof status?.reason === "string" ? status.reason : "",
    message: typeof status?.message === "string" ? status.message : text,
  };
}

/** A stream that makes whoever fills it wait for the reader. */
class OutputStream {
  readonly readable: ReadableStream<Uint8Array>;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #wanted = Promise.withResolvers<void>();
  #ended = false;

  constructor() {
    this.readable = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      pull: () => this.#wanted.resolve(),
      cancel: () => this.release(),
    }, { highWaterMark: 1 });
  }

  async put(bytes: Uint8Array): Promise<void> {
    if (this.#ended) return;
    this.#wanted = Promise.withResolvers();
    this.#controller.enqueue(bytes);
    if (this.#controller.desiredSize! <= 0) await this.#wanted.promise;
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#controller.close();
  }

  fail(error: Error): void {
    if (this.#ended) return;
    this.#controller.error(error);
    this.release();
  }

  /** Nobody reads any more: what still comes is dropped. */
  release(): void {
    this.#ended = true;
    this.#wanted.resolve();
  }
}

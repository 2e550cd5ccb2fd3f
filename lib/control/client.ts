/**
 * The client's half of the control protocol, for receptorctl and for work on a remote node: one
 * connection, one command at a time, any number of commands one after the other.
 */
import { abortable } from "../base/abortable.ts";
import { type ByteConn, writeAll } from "../base/byte_conn.ts";
import { LineReader } from "../base/line_reader.ts";
import { ControlError } from "./control_error.ts";
import { connectingTerminal } from "./texts.ts";
import type { SubmitRequest } from "./work_service.ts";

/** The peer does not speak the control protocol as expected. */
export class ControlProtocolError extends Error {
  override readonly name = "ControlProtocolError";
}

/** A parameter of a submission has the name of a field of the command, and would replace it. */
export class IllegalParameterError extends Error {
  override readonly name = "IllegalParameterError";
}

/** A submission as sent: absent fields are not sent. */
export type SubmitFields =
  & Pick<SubmitRequest, "node" | "workType">
  & Partial<SubmitRequest>;

export interface SubmitReply {
  unitId: string;
  result: string;
}

export interface SubmitOptions {
  /** Called with the unit's id before any payload is sent; a promise is awaited. */
  onCreated?: ((unitId: string) => void | Promise<void>) | undefined;
  signal?: AbortSignal | undefined;
}

export interface ResultsOptions {
  /** JWT for a unit of a signed type, "" for none. */
  signature?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** A unit's output as it arrives; the caller closes it. */
export type ResultsStream = Pick<ByteConn, "read" | "close">;

export interface ConnectOptions {
  /** Bytes that one reply may have; default 64 MiB. Never over 8 MiB after `connectControl`. */
  maxReplyBytes?: number | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Bound of one reply. Generous, since `work list` of a node with tens of thousands of units, or the
 * status of a large mesh, is one line.
 */
const MAX_REPLY_BYTES = 64 * 1024 * 1024;
/**
 * The same of a node that is only reached through ours, and that anybody may run: the units of ten
 * thousand jobs.
 */
const MAX_FOREIGN_REPLY_BYTES = 8 * 1024 * 1024;
const MAX_GREETING_BYTES = 4096;

const GREETING_START = "Receptor Control, node ";
const GREETING = /^Receptor Control, node (.+)$/;
const CREATED = /^Work unit created with ID (.+)\. Send stdin data and EOF\.$/;
const STREAMING = /^Streaming results for work unit (.+)$/;
const ERROR_PREFIX = "ERROR:";
/**
 * Aborting any call closes the connection, since it is unknown what the server will still send. A
 * failed command (`ControlError`) leaves it open for the next.
 */
export class ControlClient implements Disposable {
  readonly #lines: LineReader;
  #maxReplyBytes: number;
  #node: string;

  private constructor(lines: LineReader, node: string, maxReplyBytes: number) {
    this.#lines = lines;
    this.#node = node;
    this.#maxReplyBytes = maxReplyBytes;
  }

  /**
   * Takes over `conn` and reads the greeting. On failure `conn` is closed and a
   * `ControlProtocolError` says what came instead.
   */
  static async connect(conn: ByteConn, options: ConnectOptions = {}): Promise<ControlClient> {
    const { maxReplyBytes = MAX_REPLY_BYTES, signal } = options;
    const lines = new LineReader(conn);
    return new ControlClient(lines, await readGreeting(lines, signal), maxReplyBytes);
  }

  /** The node that answers, from its greeting. */
  get node(): string {
    return this.#node;
  }

  /**
   * Sends words (a line as it is, so it must not hold a newline) or an object (as JSON) and
   * resolves to the parsed reply. Throws a `ControlError` with the text after `ERROR: `.
   */
  command(
    command: string | Record<string, unknown>,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<Record<string, unknown>> {
    return this.#exclusively(options.signal, async (signal) => {
      await this.#send(command);
      return parseReply(await this.#reply(signal));
    });
  }

  /**
   * Submits a unit with its payload, which uses up the connection: it is closed afterwards. If the
   * server refuses while the payload is still being sent, throws its `ControlError`.
   */
  async submit(
    request: SubmitFields,
    payload: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: SubmitOptions = {},
  ): Promise<SubmitReply> {
    try {
      const command = submitCommand(request);
      return await this.#exclusively(options.signal, async (signal) => {
        await this.#send(command);
        const unitId = matchOrThrow(CREATED, await this.#reply(signal), "a new unit's id");
        await options.onCreated?.(unitId);
        const { result } = await this.#sendPayload(payload, signal);
        return { unitId, result: String(result) };
      });
    } finally {
      this.close();
    }
  }

  /**
   * Opens a unit's output from byte `startPos` on. The connection becomes that stream: no command
   * may follow. The signal covers the opening only; to end the stream, close it.
   */
  results(
    unitId: string,
    startPos: number,
    options: ResultsOptions = {},
  ): Promise<ResultsStream> {
    const command = options.signature
      ? {
        command: "work",
        subcommand: "results",
        unitid: unitId,
        startpos: startPos,
        signature: options.signature,
      }
      : `work results ${unitId} ${startPos}`;
    return this.#exclusively(options.signal, async (signal) => {
      await this.#send(command);
      matchOrThrow(STREAMING, await this.#reply(signal), "the start of results");
      // The original (1.6.9) waits for the next command at the end of the output: only this
      // half-close makes it end the stream. The Python client does the same.
      await this.#lines.closeWrite();
      return this.#lines;
    });
  }

  /**
   * Makes the server dial a service in the mesh: the connection becomes the stream to it.
   */
  connectService(
    node: string,
    service: string,
    tlsClient = "",
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<ByteConn> {
    return this.#exclusively(options.signal, async (signal) => {
      // The Python client also sends the trailing blank if there is no third word.
      await this.#send(`connect ${node} ${service} ${tlsClient}`);
      const reply = await this.#reply(signal);
      if (!reply.startsWith("Connecting")) throw unexpected(reply, "Connecting");
      return this.#lines;
    });
  }

  /**
   * The same for a client with a window, in which it shows a terminal: if `tellsWindow`, what it sends
   * must be terminal frames. Nodes of the original do not take that.
   */
  connectTerminal(
    node: string,
    service: string,
    tlsClient = "",
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<{ readonly stream: ByteConn; readonly tellsWindow: boolean }> {
    return this.#exclusively(options.signal, async (signal) => {
      const tls = tlsClient === "" ? {} : { tls: tlsClient };
      await this.#send({ command: "connect", node, service, ...tls, terminal: true });
      const reply = await this.#reply(signal);
      if (!reply.startsWith("Connecting")) throw unexpected(reply, "Connecting");
      return { stream: this.#lines, tellsWindow: reply === connectingTerminal };
    });
  }

  /** Continues as a client of another node's control service, reached through this one. */
  async connectControl(
    node: string,
    tlsClient = "",
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    await this.connectService(node, "control", tlsClient, options);
    this.#node = await readGreeting(this.#lines, options.signal);
    this.#maxReplyBytes = Math.min(this.#maxReplyBytes, MAX_FOREIGN_REPLY_BYTES);
  }

  close(): void {
    this.#lines.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #exclusively<T>(
    signal: AbortSignal | undefined,
    exchange: (signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<T> {
    const onAbort = () => this.close();
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      signal?.throwIfAborted();
      // Closing the connection does not end everything that an exchange waits for: a payload may
      // come from a terminal.
      return await abortable(exchange(signal), signal);
    } catch (error) {
      // The closed connection fails with its own error; the caller gets the reason of its abort.
      if (signal?.aborted) throw signal.reason;
      throw error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #send(command: string | Record<string, unknown>): Promise<void> {
    const line = typeof command === "string" ? command : JSON.stringify(command);
    if (line.includes("\n")) throw new TypeError("control command must not hold a newline");
    return writeAll(this.#lines, new TextEncoder().encode(`${line}\n`));
  }

  async #reply(signal: AbortSignal | undefined): Promise<string> {
    const line = await this.#lines.readLine({ maxBytes: this.#maxReplyBytes, signal });
    if (line === null) {
      throw new ControlProtocolError("the node closed the connection without a reply");
    }
    const reply = line.trim();
    if (reply.startsWith(ERROR_PREFIX)) {
      throw new ControlError(reply.slice(ERROR_PREFIX.length).trimStart());
    }
    return reply;
  }

  async #sendPayload(
    payload: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<Record<string, unknown>> {
    try {
      for await (const bytes of payload) {
        signal?.throwIfAborted();
        await writeAll(this.#lines, bytes);
      }
      await this.#lines.closeWrite();
    } catch (error) {
      // A broken pipe has a cause, and the server may have stated it before it hung up.
      throw await this.#refusalBehind(error);
    }
    return parseReply(await this.#reply(signal));
  }

  async #refusalBehind(error: unknown): Promise<unknown> {
    if (!(error instanceof Error) || !PEER_CLOSED.some((kind) => error instanceof kind)) {
      return error;
    }
    try {
      await this.#reply(undefined);
      return error;
    } catch (reply) {
      return reply instanceof ControlError ? reply : error;
    }
  }
}

const PEER_CLOSED = [Deno.errors.BrokenPipe, Deno.errors.ConnectionReset];

async function readGreeting(lines: LineReader, signal: AbortSignal | undefined): Promise<string> {
  try {
    await lines.ready({ signal });
    // A peer that is no control service may never end its first line, but its first bytes already
    // give it away.
    const start = lines.peek().slice(0, GREETING_START.length);
    if (!GREETING_START.startsWith(latin1(start))) throw notAGreeting(lines.peek());
    const line = await lines.readLine({ maxBytes: MAX_GREETING_BYTES, signal });
    if (line === null) {
      throw new ControlProtocolError("the peer closed the connection without a greeting");
    }
    const node = GREETING.exec(line.trim())?.[1];
    if (node === undefined) throw notAGreeting(new TextEncoder().encode(line));
    return node;
  } catch (error) {
    lines.close();
    throw error;
  }
}

function notAGreeting(bytes: Uint8Array): ControlProtocolError {
  // A length in two bytes, the type of a route message, and its JSON.
  if (bytes[2] === 1 && bytes[3] === "{".charCodeAt(0)) {
    return new ControlProtocolError(
      "expected a control service, got a listener for links between nodes (such as a " +
        "tcp-listener): the control service has a socket or port of its own",
    );
  }
  return new ControlProtocolError(
    `expected the greeting of a control service, got ${quoted(new TextDecoder().decode(bytes))}`,
  );
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/**
 * The fields of a submission as the original's clients send them. Throws an `IllegalParameterError`
 * for a parameter that would replace one of them.
 */
function submitCommand(request: SubmitFields): Record<string, string> {
  // Parameters come from users: without a prototype, even `__proto__` is a name like any other.
  const command: Record<string, string> = Object.assign(Object.create(null), {
    command: "work",
    subcommand: "submit",
    node: request.node,
    worktype: request.workType,
  });
  if (request.tlsClient) command.tlsclient = request.tlsClient;
  if (request.ttl) command.ttl = request.ttl;
  if (request.signWork) command.signwork = "true";
  if (request.signature) command.signature = request.signature;
  if (request.workUnitId) command.workUnitID = request.workUnitId;
  for (const [name, value] of Object.entries(request.params ?? {})) {
    if (name in command) throw new IllegalParameterError(`Duplicate or illegal parameter ${name}`);
    command[name] = value;
  }
  return command;
}

function parseReply(reply: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(reply);
  } catch (cause) {
    throw new ControlProtocolError(`expected a reply in JSON, got ${quoted(reply)}`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ControlProtocolError(`expected a JSON object as reply, got ${quoted(reply)}`);
  }
  return value as Record<string, unknown>;
}

function matchOrThrow(pattern: RegExp, reply: string, wanted: string): string {
  const match = pattern.exec(reply)?.[1];
  if (match === undefined) throw unexpected(reply, wanted);
  return match;
}

function unexpected(reply: string, wanted: string): ControlProtocolError {
  return new ControlProtocolError(`expected ${wanted}, got ${quoted(reply)}`);
}

/** A reply for an error message, cut to a length that suits a terminal. */
function quoted(reply: string): string {
  return JSON.stringify(reply.length > 200 ? `${reply.slice(0, 200)}…` : reply);
}

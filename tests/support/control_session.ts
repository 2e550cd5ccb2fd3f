/**
 * A neutral client of the control protocol: as little code as possible, so that tests and
 * benchmarks drive every kind of node with the same bytes and the same cost.
 */
import { createHash } from "node:crypto";
import { within } from "./eventually.ts";

const READ_BYTES = 256 * 1024;
const NEWLINE = 10;

/** A node that sends nothing for so long, in milliseconds, will not: less than a test may take. */
const LONGEST_SILENCE_MS = 120_000;

/** How much of a command an error shows. */
const SHOWN_CHARACTERS = 200;

/** Where a control service listens: a unix socket or a loopback TCP port. */
export type ControlAddress = { path: string } | { port: number };

/** The node refused a command: the text after `ERROR: `. */
export class ControlRefusal extends Error {
  override readonly name = "ControlRefusal";
}

/** Output of a unit that was not kept in memory. */
export interface StreamDigest {
  size: number;
  /** SHA-256, hex. */
  sha256: string;
}

export class ControlSession implements AsyncDisposable {
  readonly #conn: Deno.Conn;
  readonly #buffer = new Uint8Array(READ_BYTES);
  #start = 0;
  #end = 0;
  #received = 0;
  #lastSent = "the greeting";
  /** The greeting's node id. */
  readonly node: string;

  private constructor(conn: Deno.Conn, node: string) {
    this.#conn = conn;
    this.node = node;
  }

  /** Connects and takes the greeting. */
  static async open(address: ControlAddress): Promise<ControlSession> {
    const conn: Deno.Conn = "path" in address
      ? await Deno.connect({ transport: "unix", path: address.path })
      : await Deno.connect({ hostname: "127.0.0.1", port: address.port });
    try {
      const probe = new ControlSession(conn, "");
      const greeting = await probe.readLine();
      const match = greeting?.match(/^Receptor Control, node (.+)$/);
      if (!match) throw new Error(`Not the greeting of a control service: ${greeting}`);
      const session = new ControlSession(conn, match[1]!);
      // Bytes that came with the greeting, from a server that sends more than it should.
      session.#buffer.set(probe.#buffer.subarray(probe.#start, probe.#end));
      session.#end = probe.#end - probe.#start;
      return session;
    } catch (error) {
      conn.close();
      throw error;
    }
  }

  /** Sends one line: words, or an object as JSON. */
  async send(line: string | Record<string, unknown>): Promise<void> {
    const text = typeof line === "string" ? line : JSON.stringify(line);
    this.#lastSent = text.slice(0, SHOWN_CHARACTERS);
    await this.write(new TextEncoder().encode(`${text}\n`));
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  /** Half-closes: no more commands or payload from us. */
  async closeWrite(): Promise<void> {
    await (this.#conn as Deno.TcpConn | Deno.UnixConn).closeWrite();
  }

  /** The next line without its end, or `null` when the node closed. */
  async readLine(): Promise<string | null> {
    const pieces: Uint8Array[] = [];
    const text = () => {
      const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
      const whole = new Uint8Array(size);
      let at = 0;
      for (const piece of pieces) {
        whole.set(piece, at);
        at += piece.length;
      }
      return new TextDecoder().decode(whole);
    };
    while (true) {
      const chunk = await this.readSome();
      if (chunk === null) return pieces.length > 0 ? text() : null;
      const newline = chunk.indexOf(NEWLINE);
      if (newline < 0) {
        pieces.push(chunk.slice());
        continue;
      }
      this.#start -= chunk.length - newline - 1;
      pieces.push(chunk.slice(0, newline));
      return text();
    }
  }

  /**
   * Bytes as they come, valid until the next read, or `null` when the node closed. Rejects after a
   * silence that is too long.
   */
  async readSome(): Promise<Uint8Array | null> {
    if (this.#start === this.#end) {
      const what = `more than ${this.#received} bytes from node ${this.node}: ${this.#lastSent}`;
      const count = await within(LONGEST_SILENCE_MS, what, this.#conn.read(this.#buffer));
      if (count === null) return null;
      this.#received += count;
      this.#start = 0;
      this.#end = count;
    }
    const chunk = this.#buffer.subarray(this.#start, this.#end);
    this.#start = this.#end;
    return chunk;
  }

  /** All bytes up to the node's close. */
  async readAll(): Promise<Uint8Array<ArrayBuffer>> {
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for (let chunk = await this.readSome(); chunk !== null; chunk = await this.readSome()) {
      pieces.push(chunk.slice());
    }
    return new Uint8Array(await new Blob(pieces).arrayBuffer());
  }

  /** Size and hash of all bytes up to the node's close, in flat memory. */
  async digestAll(): Promise<StreamDigest> {
    const hash = createHash("sha256");
    let size = 0;
    for (let chunk = await this.readSome(); chunk !== null; chunk = await this.readSome()) {
      hash.update(chunk);
      size += chunk.length;
    }
    return { size, sha256: hash.digest("hex") };
  }

  /** Number of bytes up to the node's close, as cheap as it gets. */
  async countAll(): Promise<number> {
    let size = 0;
    for (let chunk = await this.readSome(); chunk !== null; chunk = await this.readSome()) {
      size += chunk.length;
    }
    return size;
  }

  /** Sends a command and returns the one line of its reply; throws `ControlRefusal` on `ERROR:`. */
  async command(line: string | Record<string, unknown>): Promise<string> {
    await this.send(line);
    const reply = await this.readLine();
    if (reply === null) throw new Error(`The node closed instead of answering ${line}`);
    if (reply.startsWith("ERROR")) throw new ControlRefusal(reply.replace(/^ERROR:? ?/, ""));
    return reply;
  }

  /** A command whose reply is JSON. */
  async json(line: string | Record<string, unknown>): Promise<Record<string, unknown>> {
    return JSON.parse(await this.command(line));
  }

  close(): void {
    try {
      this.#conn.close();
    } catch {
      // Already closed.
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}

/** A unit of work to submit. */
export interface Submission {
  node: string;
  worktype: string;
  payload?: Uint8Array | string;
  /** Any other field of the command; each value a string. */
  params?: Record<string, string>;
}

/** Submits over a separate session, which the protocol uses up; resolves to the unit's id. */
export async function submitWork(
  address: ControlAddress,
  submission: Submission,
): Promise<string> {
  await using session = await ControlSession.open(address);
  const { node, worktype, params, payload = "" } = submission;
  const reply = await session.command({
    command: "work",
    subcommand: "submit",
    node,
    worktype,
    ...params,
  });
  const match = reply.match(/^Work unit created with ID (.+)\. Send stdin data and EOF\.$/);
  if (!match) throw new Error(`Not the reply to a submit: ${reply}`);
  await session.write(typeof payload === "string" ? new TextEncoder().encode(payload) : payload);
  await session.closeWrite();
  const end = await session.readLine();
  if (end === null || end.startsWith("ERROR")) throw new ControlRefusal(end ?? "closed");
  const { unitid } = JSON.parse(end) as { unitid: string };
  if (unitid !== match[1]) throw new Error(`Submitted as ${match[1]}, started as ${unitid}`);
  return unitid;
}

/** Opens `work results` from `startpos` on; the session then carries the bytes to its end. */
export async function openResults(
  address: ControlAddress,
  unitId: string,
  startpos = 0,
): Promise<ControlSession> {
  const session = await ControlSession.open(address);
  try {
    const reply = await session.command(`work results ${unitId} ${startpos}`);
    if (reply !== `Streaming results for work unit ${unitId}`) {
      throw new Error(`Not the reply to work results: ${reply}`);
    }
    // As every client does: the Go daemon ends the stream only for one that has half-closed.
    await session.closeWrite();
    return session;
  } catch (error) {
    session.close();
    throw error;
  }
}

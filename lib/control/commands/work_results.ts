/** `work results <id> [startpos]`: streams a unit's output, as long as the unit runs. */
import { abortable } from "../../base/abortable.ts";
import { writeAll } from "../../base/byte_conn.ts";
import { sleep } from "../../base/clock.ts";
import { deadline } from "../../base/deadline.ts";
import type { CommandContext, CommandRun } from "../command.ts";
import { ControlError } from "../control_error.ts";
import { integerMember, optionalString, parseInteger, stringMember } from "../json_fields.ts";
import { DISCARD_MS } from "../limits.ts";
import { refusals, streamingResults } from "../texts.ts";
import type { WorkService } from "../work_service.ts";
import { firstWords } from "../words.ts";
import type { WorkSubcommand } from "./work_subcommand.ts";

/** How often we check that the client of a silent stream, which has half-closed, is still there. */
const LIVENESS_INTERVAL_MS = 10_000;
const IGNORED_BUFFER_BYTES = 4096;

export function workResults(work: WorkService): WorkSubcommand {
  return {
    fromWords(words) {
      const [unitId, startPos, ...rest] = firstWords(words, 3);
      if (unitId === undefined) throw new ControlError(refusals.unitIdMissing("results"));
      if (rest.length > 0) throw new ControlError(refusals.resultsWords);
      return results(work, unitId, startPos === undefined ? 0 : startPosition(startPos), "");
    },
    fromFields(fields) {
      const unitId = stringMember(fields, "unitid");
      const startPos = integerMember(fields, "startpos");
      return results(work, unitId, startPos, optionalString(fields, "signature"));
    },
  };
}

function startPosition(word: string): number {
  try {
    return parseInteger(word);
  } catch (cause) {
    if (!(cause instanceof ControlError)) throw cause;
    throw new ControlError(refusals.startPosition(cause.message), { cause });
  }
}

/**
 * The session ends with the stream, whose end tells the client that the unit is complete. A
 * client's half-close ends nothing.
 */
function results(
  work: WorkService,
  unitId: string,
  startPos: number,
  signature: string,
): CommandRun {
  return async (context) => {
    const { conn, caller } = context;
    if (startPos < 0) throw new ControlError(refusals.startPositionNegative(startPos));
    const gone = new AbortController();
    const signal = AbortSignal.any([context.signal, gone.signal]);
    const output = await work.results(unitId, { startPos, caller, signature, signal });
    const clientEnd = readAway(conn);
    const watch = watchClient(context, clientEnd, gone);
    try {
      await writeAll(conn, new TextEncoder().encode(`${streamingResults(unitId)}\n`));
      for await (const bytes of output) await writeAll(conn, bytes);
      await conn.closeWrite();
      await lingerFor(clientEnd, context);
    } catch (error) {
      // The line that announced the stream has been sent, so an error line is no longer possible.
      const level = error instanceof ControlError ? "warning" : "debug";
      context.deps.log[level](`Results of work unit ${unitId} to a client ended: ${error}`, {
        unit_id: unitId,
        caller: caller.description,
      });
    } finally {
      gone.abort();
      conn.close();
      await watch;
    }
    return undefined;
  };
}

/**
 * Aborts `gone` once nobody reads any more, which a job that is silent for hours would not discover
 * by writing. Resolves when the connection has closed.
 */
async function watchClient(
  { conn, closed, deps }: CommandContext,
  clientEnd: Promise<void>,
  gone: AbortController,
): Promise<void> {
  closed?.then(() => gone.abort());
  try {
    await clientEnd;
    // A full close of a Unix socket reads like a half-close; writing nothing tells them apart.
    while (closed === undefined && !gone.signal.aborted) {
      await sleep(deps.clock, LIVENESS_INTERVAL_MS, { signal: gone.signal });
      await conn.write(new Uint8Array(0));
    }
  } catch (error) {
    gone.abort(error);
  }
}

/** Resolves at the client's half-close; rejects when the connection breaks. */
async function readAway(conn: CommandContext["conn"]): Promise<void> {
  const ignored = new Uint8Array(IGNORED_BUFFER_BYTES);
  while (await conn.read(ignored) !== null);
}

/**
 * Gives a client time to end its side too. A kernel resets a TCP connection that is closed before
 * everything that arrived has been read (a TLS close is enough), and whatever output the client has
 * not read yet is lost. A mesh stream does not have that problem.
 */
async function lingerFor(
  clientEnd: Promise<void>,
  { closed, deps, signal }: CommandContext,
): Promise<void> {
  if (closed !== undefined) return;
  using limit = deadline(deps.clock, DISCARD_MS, () => new Error("the client lingers"));
  await abortable(clientEnd, AbortSignal.any([limit.signal, signal])).catch(() => {});
}

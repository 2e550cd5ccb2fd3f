/**
 * `work submit`: creates a unit, takes its payload until the client's half-close, and starts it.
 */
import { abortable } from "../../base/abortable.ts";
import { writeAll } from "../../base/byte_conn.ts";
import { messageOf } from "../../base/error_message.ts";
import type { LineReader } from "../../base/line_reader.ts";
import { type CommandRun, type Fields, SessionOverError } from "../command.ts";
import { ControlError } from "../control_error.ts";
import { optionalString, stringMember } from "../json_fields.ts";
import { limitsFor } from "../limits.ts";
import { refusals, unitCreated } from "../texts.ts";
import type { PendingUnit, SubmitRequest, WorkService } from "../work_service.ts";
import { cutWord } from "../words.ts";
import type { WorkSubcommand } from "./work_subcommand.ts";

/** The first buffer, as most payloads are small; a payload that fills it gets a larger one. */
const FIRST_BUFFER_BYTES = 4096;

/** Members with a fixed meaning; every other one is a parameter of the work type. */
const NOT_PARAMETERS = new Set([
  "command",
  "subcommand",
  "node",
  "worktype",
  "tlsclient",
  "ttl",
  "signwork",
  "signature",
  "workUnitID",
]);

export function workSubmit(work: WorkService): WorkSubcommand {
  return {
    fromWords(words = "") {
      const [node, more] = cutWord(words);
      if (more === undefined) throw new ControlError(refusals.submitWords);
      const [workType, params] = cutWord(more);
      return submit(work, {
        node,
        workType,
        tlsClient: "",
        ttl: "",
        signWork: false,
        signature: "",
        workUnitId: "",
        params: params === undefined ? {} : { params },
      });
    },
    fromFields: (fields) => submit(work, requestFrom(fields)),
  };
}

function requestFrom(fields: Fields): SubmitRequest {
  const notString = Object.entries(fields).find(([, value]) => typeof value !== "string");
  if (notString !== undefined) throw new ControlError(refusals.submitFieldNotString(notString[0]));
  const params = Object.entries(fields).filter(([name]) => !NOT_PARAMETERS.has(name));
  return {
    node: stringMember(fields, "node"),
    workType: stringMember(fields, "worktype"),
    tlsClient: optionalString(fields, "tlsclient"),
    ttl: optionalString(fields, "ttl"),
    signWork: optionalString(fields, "signwork") === "true",
    signature: optionalString(fields, "signature"),
    workUnitId: optionalString(fields, "workUnitID"),
    params: Object.fromEntries(params) as Record<string, string>,
  };
}

function submit(work: WorkService, request: SubmitRequest): CommandRun {
  return async ({ conn, caller, signal }) => {
    const unit = await work.submit(request, caller);
    await takePayload(unit, conn, limitsFor(caller).bufferBytes);
    // A payload on its way to another node must not delay the stop of this node's service.
    return { result: await abortable(unit.start(), signal), unitid: unit.unitId };
  };
}

/** Whatever cuts the payload short also ends the session: what follows is not a command. */
async function takePayload(
  unit: PendingUnit,
  conn: LineReader,
  bufferBytes: number,
): Promise<void> {
  try {
    await writeAll(conn, new TextEncoder().encode(`${unitCreated(unit.unitId)}\n`));
    let buffer = new Uint8Array(FIRST_BUFFER_BYTES);
    for (let count; (count = await conn.read(buffer)) !== null;) {
      await unit.writePayload(buffer.subarray(0, count));
      if (count === buffer.length && count < bufferBytes) buffer = new Uint8Array(bufferBytes);
    }
  } catch (error) {
    const message = messageOf(error);
    await unit.abandon(`Error reading input data: ${message}`);
    throw new SessionOverError(message, { cause: error });
  }
}

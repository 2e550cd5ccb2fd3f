/** `receptorctl work submit`: sends a payload to a work type, and follows it if asked to. */
import { messageOf } from "../../base/error_message.ts";
import { ControlError } from "../../control/control_error.ts";
import type { Ctl, Input } from "../ctl.ts";
import { CtlError, ExitCode, UsageError } from "../ctl_error.ts";
import { printResults } from "../print_results.ts";
import { readParameters } from "../submit_parameters.ts";
import { OutputClosedError } from "../terminal.ts";
import { operateOnUnits } from "../unit_operation.ts";

interface WorkSubmitOptions {
  workType: string;
  commandParams: string[];
  node: string;
  payload: string;
  payloadLiteral: string;
  noPayload: boolean;
  tlsClient: string;
  ttl: string;
  signWork: boolean;
  follow: boolean;
  release: boolean;
  params: string[];
  json: boolean;
}

const PAYLOAD_BUFFER_BYTES = 256 * 1024;
/** The unit is released even after Ctrl-C, but for no longer than this. */
const RELEASE_TIMEOUT_MS = 10_000;

export async function workSubmit(ctl: Ctl, options: WorkSubmitOptions): Promise<number> {
  await checkOptions(ctl, options);
  using payload = await openPayload(ctl.input, options);
  let unitId: string | undefined;
  try {
    const fields = await request(options);
    using client = await ctl.node.lastUse();
    const reply = await client.submit(fields, payload.chunks(), {
      signal: ctl.signal,
      onCreated: (id) => void (unitId = id),
    });
    if (options.follow) return await printResults(ctl, reply.unitId);
    const { result, unitId: unitid } = reply;
    if (options.json) await ctl.terminal.printJson({ result, unitid });
    else await ctl.terminal.printLines([`Result: ${result}`, `Unit ID: ${unitid}`]);
    return 0;
  } catch (error) {
    if (ctl.signal.aborted || error instanceof OutputClosedError) throw error;
    throw submitFailure(error, unitId);
  } finally {
    if (options.release && unitId !== undefined) await releaseUnit(ctl, unitId);
  }
}

async function checkOptions({ terminal }: Ctl, options: WorkSubmitOptions): Promise<void> {
  const given = [options.payload !== "", options.noPayload, options.payloadLiteral !== ""]
    .filter(Boolean).length;
  if (given < 1) {
    throw new UsageError("Must provide one of --payload, --no-payload or --payload-literal.");
  }
  if (given > 1) {
    throw new UsageError(
      "Cannot provide more than one of --payload, --no-payload and --payload-literal.",
    );
  }
  if (options.release && !options.follow) {
    await terminal.warning("using --rm without --follow. Unit results will never be seen.");
  }
}

async function request(options: WorkSubmitOptions) {
  const { node, workType, tlsClient, ttl, signWork } = options;
  return {
    node: node === "" ? "localhost" : node,
    workType,
    tlsClient,
    ttl,
    signWork,
    params: await readParameters(options.params, options.commandParams),
  };
}

interface Payload extends Disposable {
  /** A chunk is valid until the next one is asked for. */
  chunks(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

async function openPayload(input: Input, options: WorkSubmitOptions): Promise<Payload> {
  if (options.payload === "-") {
    return { chunks: () => readChunks(input), [Symbol.dispose]() {} };
  }
  if (options.payload === "") {
    // As `echo` would send it: a literal ends with a newline.
    const literal = options.noPayload ? "" : `${options.payloadLiteral}\n`;
    return { chunks: () => [new TextEncoder().encode(literal)], [Symbol.dispose]() {} };
  }
  try {
    const file = await Deno.open(options.payload);
    return { chunks: () => readChunks(file), [Symbol.dispose]: () => file[Symbol.dispose]() };
  } catch (cause) {
    const why = messageOf(cause);
    throw new CtlError(`Failed to load payload file: ${why}`, undefined, { cause });
  }
}

async function* readChunks(source: Pick<Input, "read">): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(PAYLOAD_BUFFER_BYTES);
  for (let count; (count = await source.read(buffer)) !== null;) yield buffer.subarray(0, count);
}

/** The node's refusal, in the words of the original's client and with its exit code. */
function submitFailure(error: unknown, unitId: string | undefined): CtlError {
  if (error instanceof UsageError) return error;
  const why = messageOf(error);
  if (!(error instanceof ControlError)) {
    return new CtlError(why, ExitCode.SubmitFailed, { cause: error });
  }
  const what = unitId === undefined ? "Failed to start work unit: " : "Remote error: ERROR: ";
  return new CtlError(what + why, ExitCode.SubmitFailed, { cause: error });
}

async function releaseUnit({ node, terminal }: Ctl, unitId: string): Promise<void> {
  using ownNode = node.again(AbortSignal.timeout(RELEASE_TIMEOUT_MS));
  await operateOnUnits({ node: ownNode, terminal }, "release", [unitId]);
}

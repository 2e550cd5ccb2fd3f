/** Prints a unit's output on standard output, byte for byte and as it arrives. */
import { messageOf } from "../base/error_message.ts";
import { ControlError } from "../control/control_error.ts";
import { UnitState } from "../control/work_service.ts";
import type { Ctl } from "./ctl.ts";
import { CtlError, ExitCode } from "./ctl_error.ts";

/** Large, since most of the cost of a read and a write is per call. */
const BUFFER_BYTES = 512 * 1024;

/** Resolves to the exit code: 0 only for a unit that succeeded, with every byte of its output. */
export async function printResults(ctl: Ctl, unitId: string): Promise<number> {
  const { node, terminal } = ctl;
  const received = await copyResults(ctl, unitId);
  const status = await node.command(`work status ${unitId}`).catch((cause) => {
    throw asLost(cause, received);
  });
  const problem = problemOf(status, received);
  if (problem === undefined) return 0;
  await terminal.error(problem);
  // As the original does.
  await terminal.endErrorLine();
  return ExitCode.General;
}

function problemOf(
  { State, StateName, Detail, StdoutSize }: Record<string, unknown>,
  received: number,
): string | undefined {
  switch (State) {
    case UnitState.Failed:
      return `Remote unit failed: ${Detail ?? "Unknown"}`;
    case UnitState.Canceled:
      return `Work unit was cancelled: ${Detail ?? "Unknown"}`;
    case UnitState.Succeeded:
      return received >= Number(StdoutSize)
        ? undefined
        : `Output was lost: the results ended after ${received} of ${StdoutSize} bytes`;
    default:
      // The node ends a stream early if it has no more to send.
      return `Output was lost: the results ended while the unit was ${StateName ?? State}`;
  }
}

/** Resolves to the number of bytes. */
async function copyResults({ node, terminal, signal }: Ctl, unitId: string): Promise<number> {
  using client = await node.lastUse();
  const close = () => client.close();
  signal.addEventListener("abort", close, { once: true });
  let received = 0;
  try {
    const stream = await client.results(unitId, 0, { signal });
    const buffer = new Uint8Array(BUFFER_BYTES);
    const read = () =>
      stream.read(buffer).catch((cause) => {
        signal.throwIfAborted();
        throw asLost(cause, received);
      });
    for (let count; (count = await read()) !== null;) {
      await terminal.write(buffer.subarray(0, count));
      received += count;
    }
    return received;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ControlError)) throw error;
    throw new CtlError(`Failed to get results: ${error.message}`, undefined, { cause: error });
  } finally {
    signal.removeEventListener("abort", close);
  }
}

/** What the node itself says needs no more words; of a lost connection nobody would know. */
function asLost(cause: unknown, received: number): unknown {
  if (cause instanceof ControlError) return cause;
  const what = `Output may have been lost after ${received} bytes: ${messageOf(cause)}`;
  return new CtlError(what, undefined, { cause });
}

/** A unit's output on standard output, byte for byte and as it comes. */
import { ControlError } from "../control/control_error.ts";
import { UnitState } from "../control/work_service.ts";
import type { Ctl } from "./ctl.ts";
import { CtlError, ExitCode } from "./ctl_error.ts";

/** Large, since the cost of a read and a write is mostly per call. */
const BUFFER_BYTES = 512 * 1024;

/** Resolves to the exit code when the unit is complete: 1 when it failed. */
export async function printResults(ctl: Ctl, unitId: string): Promise<number> {
  const { node, terminal } = ctl;
  await copyResults(ctl, unitId);
  const status = await node.command(`work status ${unitId}`);
  if (status.State !== UnitState.Failed) return 0;
  await terminal.error(`Remote unit failed: ${status.Detail ?? "Unknown"}\n`);
  return ExitCode.General;
}

async function copyResults({ node, terminal, signal }: Ctl, unitId: string): Promise<void> {
  using client = await node.lastUse();
  const close = () => client.close();
  signal.addEventListener("abort", close, { once: true });
  try {
    const stream = await client.results(unitId, 0, { signal });
    const buffer = new Uint8Array(BUFFER_BYTES);
    for (let count; (count = await stream.read(buffer)) !== null;) {
      await terminal.write(buffer.subarray(0, count));
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ControlError)) throw error;
    throw new CtlError(`Failed to get results: ${error.message}`, undefined, { cause: error });
  } finally {
    signal.removeEventListener("abort", close);
  }
}

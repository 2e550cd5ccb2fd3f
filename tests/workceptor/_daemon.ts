/**
 * A process that submits jobs one after the other until it is killed:
 * `deno run _daemon.ts <data folder> <script>`. Prints each unit's id before its start.
 */
import { emptyRequest, quoted, startWorkceptor, unixCaller } from "./_harness.ts";

const [dataDir, script] = Deno.args as [string, string];
const work = await startWorkceptor(dataDir);
const encoder = new TextEncoder();
while (true) {
  const params = { params: quoted(script) };
  const unit = await work.submit({ ...emptyRequest, params }, unixCaller);
  Deno.stdout.writeSync(encoder.encode(`${unit.unitId}\n`));
  await unit.writePayload(encoder.encode(unit.unitId));
  await unit.start();
}

import { rejects } from "node:assert/strict";
import { systemClock } from "../../lib/base/clock.ts";
import { silentLog } from "../../lib/base/log.ts";
import { systemRandom } from "../../lib/base/random.ts";
import { backendActions, type BackendDeps } from "../../lib/daemon/prepare_backend.ts";
import { configOfArguments } from "../config/support.ts";

Deno.test("verifynodeid is refused if no certificate would be requested", async () => {
  const deps = {
    clock: systemClock,
    log: silentLog,
    random: systemRandom,
    environment: () => undefined,
    security: { server: () => ({ wantsClientCertificate: false }), client: () => ({}) },
  } as unknown as BackendDeps;
  for (
    const [args, problem] of [
      [["--tcp-listener", "port=1"], /needs a tls-server with requireclientcert or clientcas/],
      [["--ws-listener", "port=1", "tls=x"], /needs a tls-server with requireclientcert/],
      [["--tcp-peer", "address=a:1"], /verifynodeid needs a tls-client/],
      [["--ws-peer", "address=ws://a:1/"], /verifynodeid needs a tls-client/],
    ] as const
  ) {
    const config = await configOfArguments([...args, "verifynodeid=true"]);
    const configured = config.actions.find((action) => backendActions.handles(action))!;
    await rejects(() => backendActions.handle(configured, deps), problem);
  }
});

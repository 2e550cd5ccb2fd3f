/** `connect`: the client's connection becomes a stream to a service in the mesh. */
import { bridge } from "../../base/bridge.ts";
import { writeAll } from "../../base/byte_conn.ts";
import type { CommandContext, CommandRun, CommandType } from "../command.ts";
import { ControlError } from "../control_error.ts";
import { member, stringMember } from "../json_fields.ts";
import { limitsFor } from "../limits.ts";
import { connecting, connectingTerminal, refusals } from "../texts.ts";
import { firstWords } from "../words.ts";

export const connect: CommandType = {
  fromWords(words) {
    const [node, service, tlsClient = "", ...rest] = firstWords(words, 4);
    if (node === undefined || service === undefined) {
      throw new ControlError(refusals.noConnectTarget);
    }
    if (rest.length > 0) throw new ControlError(refusals.connectParameters);
    return connectTo({ node, service, tlsClient, offersWindow: false });
  },

  fromFields(fields) {
    const node = stringMember(
      fields,
      "node",
      refusals.noConnectNode,
      refusals.connectNodeNotString,
    );
    const service = stringMember(
      fields,
      "service",
      refusals.noConnectService,
      refusals.connectServiceNotString,
    );
    const tlsClient = member(fields, "tls") ?? "";
    if (typeof tlsClient !== "string") throw new ControlError(refusals.connectTlsNotString);
    return connectTo({ node, service, tlsClient, offersWindow: fields.terminal === true });
  },
};

interface Target {
  readonly node: string;
  readonly service: string;
  readonly tlsClient: string;
  /** The client can tell the size of its window; the original has no such thing. */
  readonly offersWindow: boolean;
}

function connectTo({ node, service, tlsClient, offersWindow }: Target): CommandRun {
  return async ({ deps, conn, caller, signal }: CommandContext) => {
    const loadTls = tlsClient === "" ? undefined : deps.clientTls?.(tlsClient);
    if (tlsClient !== "" && loadTls === undefined) {
      throw new ControlError(refusals.unknownTls(tlsClient));
    }
    const tls = await loadTls?.();
    const stream = await deps.mesh.dial(node, service, { tls, signal, offersWindow });
    const reply = stream.tellsWindow ? connectingTerminal : connecting;
    try {
      await writeAll(conn, new TextEncoder().encode(`${reply}\n`));
      await bridge(conn, stream, { signal, bufferBytes: limitsFor(caller).bufferBytes });
    } catch (error) {
      // The client has seen `Connecting`: an error line would be read as the service's bytes.
      deps.log.debug(`Bridge of control service to ${node}:${service} ended: ${error}`, {
        remote_id: node,
        caller: caller.description,
      });
    } finally {
      stream.close();
    }
    return undefined;
  };
}

/** The services that every node has: `ping` answers, `unreach` is told what became of packets. */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { SourceLog } from "../base/source_log.ts";
import {
  packetHops,
  packetPayload,
  packetService,
  serviceFromText,
  SOURCE_SERVICE_AT,
} from "../wire/data_packet.ts";
import { MalformedMessage } from "../wire/json_fields.ts";
import { decodeUnreachable, type Unreachable } from "../wire/unreachable.ts";
import type { DropLog } from "./drop_log.ts";
import { type PacketSwitch, PING_SERVICE, UNREACHABLE_SERVICE } from "./packet_switch.ts";
import type { PacketHandler, ServiceRegistry } from "./service_registry.ts";

export interface ReservedServicesDeps {
  readonly selfId: string;
  readonly log: Log;
  readonly clock: Pick<Clock, "now">;
  readonly drops: DropLog;
  readonly services: ServiceRegistry;
  readonly packets: PacketSwitch;
}

const NO_PAYLOAD = new Uint8Array(0);

export function registerReservedServices(deps: ReservedServicesDeps): void {
  deps.services.register(PING_SERVICE, pingHandler(deps));
  deps.services.register(UNREACHABLE_SERVICE, unreachableHandler(deps));
}

function pingHandler({ packets }: ReservedServicesDeps): PacketHandler {
  return {
    receive(packet, from) {
      const service = packetService(packet, SOURCE_SERVICE_AT);
      // An answer to one of these would be answered in turn, for ever.
      if (service === PING_SERVICE || service === UNREACHABLE_SERVICE) return;
      packets.send(packets.header(PING_SERVICE, from, service), NO_PAYLOAD, from);
    },
  };
}

function unreachableHandler(deps: ReservedServicesDeps): PacketHandler {
  const lines = new SourceLog(deps);
  return {
    receive(packet, from) {
      let notice: Unreachable;
      try {
        notice = decodeUnreachable(packetPayload(packet));
      } catch (error) {
        if (!(error instanceof MalformedMessage)) throw error;
        deps.drops.count("Error handling message data", error.message);
        return;
      }
      logNotice(lines.of(from.id), deps.selfId, notice, {
        from: from.id,
        hops: packetHops(packet),
      });
      if (notice.fromNode !== deps.selfId) return;
      const service = serviceFromText(notice.fromService);
      const sender = service === undefined ? undefined : deps.services.get(service);
      sender?.unreachable?.(notice, from.id);
    },
  };
}

function logNotice(
  log: Log,
  selfId: string,
  { problem }: Unreachable,
  { from, hops }: { readonly from: string; readonly hops: number },
): void {
  log.warning(
    `Received unreachable message from ${from} (service ${UNREACHABLE_SERVICE}) to ${selfId} ` +
      `(service ${UNREACHABLE_SERVICE}): ttl ${hops}, data ${problem}`,
  );
}

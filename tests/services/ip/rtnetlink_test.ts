/** What goes to the kernel; that it does what is meant is seen in `tests/interop`. */
import { deepStrictEqual } from "node:assert/strict";
import { IpNetwork } from "../../../lib/base/ip_network.ts";
import {
  addressMessage,
  decodeReplies,
  encodeRequest,
  routeMessage,
  upMessage,
} from "../../../lib/services/ip/rtnetlink.ts";

const TARGET = { index: 7, gateway: Uint8Array.of(10, 9, 0, 2) };

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

Deno.test("requests are laid out as rtnetlink(7) and netlink(7) say", () => {
  const requests = {
    address: addressMessage(7, Uint8Array.of(10, 9, 0, 1), Uint8Array.of(10, 9, 0, 2)),
    up: upMessage(7, 1500),
    v4: routeMessage("add", IpNetwork.parse("10.20.0.0/16"), TARGET),
    v6: routeMessage("delete", IpNetwork.parse("fd00:1::/64"), TARGET),
  };
  const bytes = Object.entries(requests).map(([name, request], index) => [
    name,
    hex(encodeRequest(request, index + 1)),
  ]);
  deepStrictEqual(Object.fromEntries(bytes), {
    address: "28 00 00 00 14 00 05 04 01 00 00 00 00 00 00 00 02 20 00 00 07 00 00 00 " +
      "08 00 02 00 0a 09 00 01 08 00 01 00 0a 09 00 02",
    up: "28 00 00 00 10 00 05 00 02 00 00 00 00 00 00 00 00 00 00 00 07 00 00 00 " +
      "01 00 00 00 01 00 00 00 08 00 04 00 dc 05 00 00",
    v4: "3c 00 00 00 18 00 05 0c 03 00 00 00 00 00 00 00 02 10 00 00 fe 03 00 01 00 00 00 00 " +
      "08 00 01 00 0a 14 00 00 08 00 04 00 07 00 00 00 08 00 06 00 30 75 00 00 " +
      "08 00 05 00 0a 09 00 02",
    v6: "40 00 00 00 19 00 05 00 04 00 00 00 00 00 00 00 0a 40 00 00 fe 03 00 01 00 00 00 00 " +
      "14 00 01 00 fd 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00 08 00 04 00 07 00 00 00 " +
      "08 00 06 00 30 75 00 00",
  });
});

Deno.test("replies are read to the last whole one", () => {
  const reply = (sequence: number, error: number, length = 20) => {
    const bytes = new Uint8Array(length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, length, true);
    view.setUint16(4, 2, true);
    view.setUint32(8, sequence, true);
    view.setInt32(16, error, true);
    return [...bytes];
  };
  const all = Uint8Array.from([...reply(3, 0, 36), ...reply(4, -17), ...reply(5, -1)]);
  deepStrictEqual([...decodeReplies(all)], [[3, 0], [4, 17], [5, 1]]);
  deepStrictEqual([...decodeReplies(all.subarray(0, all.length - 1))], [[3, 0], [4, 17]]);
  deepStrictEqual([...decodeReplies(new Uint8Array(40))], []);
});

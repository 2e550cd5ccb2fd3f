import assert from "node:assert/strict";
import { nearestName } from "../../lib/config/nearest_name.ts";

Deno.test("nearestName() finds the name that was meant", () => {
  const names = ["address", "redial", "tls", "cost", "allowedpeers"];
  const table: [string, string | undefined][] = [
    ["adress", "address"],
    ["ADRESS", "address"],
    ["reidal", "redial"],
    ["costs", "cost"],
    ["tsl", "tls"],
    ["allowed-peers", "allowedpeers"],
    ["bindaddr", undefined],
    ["x", undefined],
    ["", undefined],
  ];
  for (const [wrong, right] of table) assert.equal(nearestName(wrong, names), right, wrong);
});

Deno.test("nearestName() does not work on texts that are no names", () => {
  assert.equal(nearestName("a".repeat(1_000_000), ["address"]), undefined);
});

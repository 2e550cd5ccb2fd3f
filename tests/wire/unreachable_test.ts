import { deepEqual, equal, throws } from "node:assert/strict";
import { MalformedMessage } from "../../lib/wire/json_fields.ts";
import { decodeUnreachable, encodeUnreachable, Problem } from "../../lib/wire/unreachable.ts";

// Captured from a Go daemon 1.6.9.
const CAPTURED = '{"FromNode":"bar","ToNode":"foo","FromService":"O6ZQe4zS","ToService":"nosuch",' +
  '"Problem":"service unknown"}';

Deno.test("an unreachable message survives decoding and encoding byte for byte", () => {
  const unreachable = decodeUnreachable(new TextEncoder().encode(CAPTURED));
  deepEqual(unreachable, {
    fromNode: "bar",
    toNode: "foo",
    fromService: "O6ZQe4zS",
    toService: "nosuch",
    problem: Problem.ServiceUnknown,
  });
  equal(new TextDecoder().decode(encodeUnreachable(unreachable)), CAPTURED);
});

Deno.test("decodeUnreachable refuses fields out of range", () => {
  for (const body of ["", "[]", '{"Problem":1}', '{"Problem":"a\\nb"}', '{"FromNode":{}}']) {
    throws(() => decodeUnreachable(new TextEncoder().encode(body)), MalformedMessage, body);
  }
});

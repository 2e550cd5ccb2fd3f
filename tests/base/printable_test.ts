import assert from "node:assert/strict";
import fc from "fast-check";
import { escapeUnprintable, printable, printableList } from "../../lib/base/printable.ts";

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

Deno.test("unprintable characters become escapes, and all others stay", () => {
  for (
    const [text, shown] of [
      ["a\nb\r\tc", "a\\nb\\r\\tc"],
      ["\u001b[31mred\u009b0m\u007f", "\\u001b[31mred\\u009b0m\\u007f"],
      ["left\u202eright\u2066", "left\\u202eright\\u2066"],
      ["f\u200boo\ufeff\u00ad\u3164", "f\\u200boo\\ufeff\\u00ad\\u3164"],
      ["line\u2028paragraph\u2029", "line\\u2028paragraph\\u2029"],
      ["half \ud83d", "half \\ud83d"],
      ["tag \u{e0041}", "tag \\udb40\\udc41"],
      ["Zürich 東京 😀 \\ \"'", "Zürich 東京 😀 \\ \"'"],
    ] as const
  ) {
    assert.equal(escapeUnprintable(text), shown);
  }
});

Deno.test("no unprintable character is left in any text, and JSON keeps its meaning", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assert.doesNotMatch(escapeUnprintable(text), UNPRINTABLE);
    assert.equal(JSON.parse(escapeUnprintable(JSON.stringify(text))), text);
  }));
});

Deno.test("a message shows the beginning of long names and long lists", () => {
  assert.equal(printable("x".repeat(1000)), `${"x".repeat(255)}…`);
  assert.equal(printableList(["a", "b\n"]), "a, b\\n");
  assert.equal(printableList(Array(20).fill("a"), " "), "a a a a a a a a … 12 more");
});

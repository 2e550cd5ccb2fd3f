import { ok } from "node:assert/strict";
import fc from "fast-check";
import { jsonLine, textLine } from "../../lib/daemon/log_line.ts";

/** Control, format, separator and invisible characters, and halves of surrogate pairs. */
const UNFIT = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

/** Text of which every other character is one that a terminal would obey or not show. */
const foreignText = fc.array(
  fc.oneof(
    fc.constantFrom("\u009b31m", "\x1b]0;x\x07", "\u202e", "\u200b", "\ufeff", "\u2028", "\r\n"),
    fc.string({ unit: "binary" }),
    fc.string(),
  ),
).map((parts) => parts.join(""));

for (const [name, format] of Object.entries({ textLine, jsonLine })) {
  Deno.test(`no foreign text leaves an unfit character in a ${name}`, () => {
    fc.assert(
      fc.property(
        foreignText,
        fc.dictionary(foreignText, fc.oneof(foreignText, fc.jsonValue(), fc.bigInt())),
        foreignText,
        (message, fields, problem) => {
          const line = format("info", 0, message, { ...fields, error: new Error(problem) });
          ok(line.endsWith("\n"));
          ok(!UNFIT.test(line.slice(0, -1)), JSON.stringify(line));
        },
      ),
    );
  });
}

import assert from "node:assert/strict";
import fc from "fast-check";
import { splitWords } from "../../../lib/workceptor/command/shell_words.ts";

Deno.test("words are split as the Go daemon splits them", async (t) => {
  // As printed by `printf "[%s]"` on a Go node (1.6.9).
  const cases: [string, string[]][] = [
    ["", []],
    ["  ", []],
    [`a "b c" 'd e' f\\ g #c`, ["a", "b c", "d e", "f g"]],
    [`"a\\nb\\"c" 'x\\y' "" '' z#q`, [`anb"c`, "x\\y", "", "", "z#q"]],
    ["a\nb\tc", ["a", "b", "c"]],
    ['"$HOME" `id` *', ["$HOME", "`id`", "*"]],
    ['a"b"c', ["abc"]],
    ["é ü", ["é", "ü"]],
    ["# all", []],
    ["a # b\nc", ["a", "c"]],
    ["a\\\nb", ["a\nb"]],
    ["''", [""]],
    ["#\n#\nx", ["x"]],
  ];
  for (const [line, words] of cases) {
    await t.step(JSON.stringify(line), () => assert.deepEqual(splitWords(line), words));
  }
});

Deno.test("an open quote and a trailing backslash are errors", () => {
  for (const line of ["'a", '"a', `"a'`, `x 'a"`]) {
    assert.throws(() => splitWords(line), {
      name: "SyntaxError",
      message: "EOF found when expecting closing quote",
    });
  }
  for (const line of ["\\", "a\\", '"a\\']) {
    assert.throws(() => splitWords(line), { message: "EOF found after escape character" });
  }
});

Deno.test("whatever is quoted comes out unchanged", () => {
  const single = (word: string) => `'${word.replaceAll("'", `'"'"'`)}'`;
  const double = (word: string) => `"${word.replace(/["\\]/g, "\\$&")}"`;
  const escaped = (word: string) => word === "" ? "''" : word.replace(/[^]/gu, "\\$&");
  fc.assert(fc.property(
    fc.array(fc.tuple(fc.string({ unit: "binary" }), fc.constantFrom(single, double, escaped))),
    fc.constantFrom(" ", "\t", "\n", " \r\n "),
    (words, blank) => {
      const line = words.map(([word, quote]) => quote(word)).join(blank);
      assert.deepEqual(splitWords(line), words.map(([word]) => word));
    },
  ));
});

Deno.test("no line hangs or crashes the splitter", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (line) => {
    try {
      splitWords(line);
    } catch (error) {
      assert.ok(error instanceof SyntaxError);
    }
  }));
});

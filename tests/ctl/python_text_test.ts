import assert from "node:assert/strict";
import { pythonDictionary, sortedJson } from "../../lib/ctl/python_text.ts";

Deno.test("JSON is sorted, indented by four and plain ASCII", () => {
  assert.equal(
    sortedJson({
      b: [1, { z: null, "10": true, "2": 1.5 }],
      a: "ä\u2028\ud83d\ude00\n",
      e: {},
      l: [],
    }),
    `{
    "a": "\\u00e4\\u2028\\ud83d\\ude00\\n",
    "b": [
        1,
        {
            "10": true,
            "2": 1.5,
            "z": null
        }
    ],
    "e": {},
    "l": []
}`,
  );
});

Deno.test("dictionaries are shown as Python shows them, with nothing a terminal would obey", () => {
  assert.equal(pythonDictionary({ type: "Control Service" }), "{'type': 'Control Service'}");
  assert.equal(pythonDictionary({}), "{}");
  assert.equal(
    pythonDictionary({ a: "it's", b: 'it\'s "x"', c: "\\\n\x1b[0m" }),
    `{'a': "it's", 'b': 'it\\'s "x"', 'c': '\\\\\\n\\x1b[0m'}`,
  );
});

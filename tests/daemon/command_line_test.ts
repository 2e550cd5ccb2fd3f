import assert from "node:assert/strict";
import fc from "fast-check";
import { runReceptor } from "../../lib/daemon/command_line.ts";

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

/** What the program says, line by line. */
async function said(args: readonly string[]): Promise<string[]> {
  const lines: string[] = [];
  const code = await runReceptor(args, {
    print: (text) => lines.push(text),
    complain: (text) => lines.push(text),
    stop: new AbortController().signal,
    onHangup: () => ({ [Symbol.dispose]() {} }),
    errors: new EventTarget(),
  });
  assert.equal(code, 1);
  return lines;
}

Deno.test("no message about the configuration has unprintable characters of it", async () => {
  const odd = fc.constantFrom("\x1b[31m", "\u009b31m", "\u202e", "\u200b", "\u2028", "\x07", "é");
  const text = fc.array(odd, { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join(""));
  await fc.assert(
    fc.asyncProperty(text, async (text) => {
      for (
        const args of [
          ["--config", `/does/not/exist${text}`],
          ["--tcp-peer", `address=a${text}:b`],
          ["--node", `id=${text}`],
          ["--cert-makereq", `dnsname=a${text}.b`, "commonname=x", "nodeid=x"],
        ]
      ) {
        const lines = await said(args);
        assert.ok(lines.length > 0);
        for (const line of lines) assert.doesNotMatch(line, UNPRINTABLE);
      }
    }),
    { numRuns: 10 },
  );
});

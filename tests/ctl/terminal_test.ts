/** What a node says cannot control the terminal that shows it, or look like another line. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { writeAll } from "../../lib/base/byte_conn.ts";
import { Terminal } from "../../lib/ctl/terminal.ts";
import { bytes } from "../control/memory_conn.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { runMain } from "./run_main.ts";

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

/** The lines that were printed, without our own colours. */
function lines(output: string): string[] {
  assert.ok(output === "" || output.endsWith("\n"), JSON.stringify(output));
  // deno-lint-ignore no-control-regex -- the point of it
  return output.replace(/\x1b\[3[15]m(.*)\x1b\[0m\n/g, "$1\n").split("\n");
}

function assertPrintable(output: string): void {
  for (const line of lines(output)) assert.doesNotMatch(line, UNPRINTABLE);
}

/** Text with more unprintable characters than chance would bring. */
const foreign = fc.array(
  fc.oneof(
    fc.constantFrom("\x1b[31m", "\u009b31m", "\u202e", "\u200b", "\n", "\r", "\x07", "\u2028", "é"),
    fc.string({ unit: "binary", maxLength: 4 }),
  ),
  { maxLength: 8 },
).map((pieces) => pieces.join(""));

Deno.test("whatever is printed, as text, warning or error, stays one line of printable characters", async () => {
  await fc.assert(fc.asyncProperty(foreign, fc.boolean(), async (text, isTerminal) => {
    let output = "";
    const sink = {
      write(some: Uint8Array) {
        output += new TextDecoder().decode(some);
        return Promise.resolve(some.length);
      },
      isTerminal: () => isTerminal,
    };
    const terminal = new Terminal(sink, sink);
    await terminal.print(text);
    await terminal.printLines([text, text]);
    await terminal.error(text);
    await terminal.warning(text);
    assertPrintable(output);
    assert.equal(lines(output).length, 6);
    output = "";
    await terminal.printJson({ [text]: [text] });
    assertPrintable(output);
    // Lone surrogates do not survive UTF-8, escapes of them do.
    assert.deepEqual(JSON.parse(output), { [text]: [text] });
  }));
});

/** A control service that answers every line with the same one. */
function hostileService(path: string, greeting: string, reply: string) {
  const listener = Deno.listen({ transport: "unix", path });
  const serving = (async () => {
    for await (const conn of listener) {
      try {
        await writeAll(conn, bytes(`Receptor Control, node ${greeting}\n`));
        const buffer = new Uint8Array(4096);
        while (await conn.read(buffer) !== null) await writeAll(conn, bytes(`${reply}\n`));
      } catch {
        // The client has gone.
      } finally {
        conn.close();
      }
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving.catch(() => {});
    },
  };
}

const COMMANDS = [
  "status",
  "status --json",
  "version",
  "version --json",
  "ping x --count 1",
  "ping x --count 1 --json",
  "traceroute x",
  "traceroute x --json",
  "reload",
  "work list",
  "work list -q",
  "work cancel x",
  "work release x",
  "work submit x -n",
  "work results x",
  "connect x y",
];

/** A reply that has all members that any command shows, each containing `text`. */
function replyOf(text: string): string {
  return JSON.stringify({
    [text]: text,
    Version: text,
    NodeID: text,
    SystemCPUCount: text,
    SystemMemoryMiB: text,
    Connections: [{ NodeID: text, Cost: text }],
    KnownConnectionCosts: { [text]: { [text]: text } },
    RoutingTable: { [text]: text },
    Advertisements: [{
      NodeID: text,
      Service: text,
      Time: text,
      ConnType: text,
      Tags: { [text]: text },
      WorkCommands: [{ WorkType: text, Secure: false }, { WorkType: text, Secure: true }],
    }],
    Certificates: [{ Kind: text, Name: text, Cert: text, NotAfter: text }],
    Success: text.length % 2 === 0,
    From: text,
    TimeStr: text,
    Error: text,
    "0": { From: text, TimeStr: text },
    "1": { From: text, TimeStr: text, Error: text },
  });
}

Deno.test("no command shows what a hostile node says unescaped", async () => {
  await using folder = await TempFolder.create();
  let number = 0;
  await fc.assert(
    fc.asyncProperty(foreign, async (text) => {
      const oneLine = text.replaceAll("\n", "");
      for (const reply of [replyOf(text), `ERROR: ${oneLine}`, oneLine]) {
        const path = folder.join(`${number++}.sock`);
        await using _service = hostileService(path, `x${oneLine}`, reply);
        for (const command of COMMANDS) {
          const words = ["--socket", path, ...command.split(" ")];
          const { stdout, stderr } = await runMain(words, { terminal: true });
          assertPrintable(stdout);
          assertPrintable(stderr);
        }
      }
    }),
    { numRuns: 8 },
  );
});

import assert from "node:assert/strict";
import { parseBinfmtEntry } from "../../../lib/workceptor/command/binfmt_misc.ts";
import {
  formatProblem,
  interpreterIn,
  parseElfHeader,
} from "../../../lib/workceptor/command/executable_format.ts";
import { temporaryFolder } from "../_harness.ts";

const encode = (text: string) => new TextEncoder().encode(text);

Deno.test("the interpreter of a script is read as the kernel reads it", () => {
  const cases: [head: string, interpreter: string | undefined][] = [
    ["#!/bin/sh\n", "/bin/sh"],
    ["#! \t/bin/sh -x\n", "/bin/sh"],
    ["#!/bin/sh\t-x", "/bin/sh"],
    ["#!/bin/sh", "/bin/sh"],
    ["#!sh\n", "sh"],
    ["#!", undefined],
    ["#!\n/bin/sh\n", undefined],
    ["#!  \n", undefined],
    ["#!/" + "x".repeat(252) + "\n", "/" + "x".repeat(252)],
    ["#!/" + "x".repeat(253), undefined],
  ];
  for (const [head, interpreter] of cases) {
    assert.equal(interpreterIn(encode(head)), interpreter, JSON.stringify(head));
  }
});

/** A 64-bit program for this machine that asks for `loader`. */
function program(loader: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(64 + 56 + loader.length + 1);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 3, true);
  view.setUint16(18, Deno.build.arch === "aarch64" ? 183 : 62, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 3, true);
  view.setBigUint64(64 + 8, 120n, true);
  view.setBigUint64(64 + 32, BigInt(loader.length + 1), true);
  bytes.set(encode(loader), 120);
  return bytes;
}

Deno.test("a program whose loader is missing is distinguished from one whose loader exists", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/program`;
  await Deno.writeFile(path, program("/no/such/loader"), { mode: 0o755 });
  assert.equal(await formatProblem(path), "no such file or directory");
  // The kernel agrees.
  assert.throws(() => new Deno.Command(path).spawn(), Deno.errors.NotFound);
  await Deno.writeFile(path, program("/bin/sh"), { mode: 0o755 });
  assert.equal(await formatProblem(path), undefined);
  assert.equal(await formatProblem(Deno.execPath()), undefined);
  assert.equal(await formatProblem("/bin/sh"), undefined);
});

Deno.test("no head crashes the reader of ELF headers", () => {
  for (let length = 0; length <= 64; length++) {
    const head = program("x").subarray(0, length);
    assert.equal(parseElfHeader(head) === undefined, length < 64);
  }
  assert.equal(parseElfHeader(new Uint8Array(256).fill(0xff)), undefined);
});

Deno.test("formats that the kernel was taught are recognized as the kernel does", () => {
  const entry = (lines: string) => parseBinfmtEntry(`enabled\ninterpreter /x\nflags: F\n${lines}`)!;
  const masked = entry("offset 0\nmagic 7f454c4602\nmask ffffffff03\n");
  assert.ok(masked("/p", new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0xfe])));
  assert.ok(!masked("/p", new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0xfd])));
  assert.ok(!masked("/p", new Uint8Array([0x7f, 0x45])));
  const later = entry("offset 2\nmagic 4d5a\n");
  assert.ok(later("/p", encode("..MZ")));
  assert.ok(!later("/p", encode("MZ..")));
  const named = entry("extension .jar\n");
  assert.ok(named("/a/b.jar", new Uint8Array()) && !named("/a/bjar", new Uint8Array()));
  assert.equal(parseBinfmtEntry("disabled\ninterpreter /x\noffset 0\nmagic 4d5a\n"), undefined);
  assert.equal(parseBinfmtEntry(""), undefined);
});

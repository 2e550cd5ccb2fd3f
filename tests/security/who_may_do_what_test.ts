/**
 * Each control command by each kind of caller: who may do what. The table of answers is the one in
 * `docs/security.md`.
 */
import assert from "node:assert/strict";
import { meshCaller, unixCaller } from "../../lib/control/accept_loop.ts";
import { ControlError } from "../../lib/control/control_error.ts";
import type { ControlDeps } from "../../lib/control/command.ts";
import type { Caller } from "../../lib/control/work_service.ts";
import type { MeshConn } from "../../lib/netceptor/mesh.ts";
import type { Workceptor } from "../../lib/workceptor/workceptor.ts";
import { writeAll } from "../../lib/base/byte_conn.ts";
import { LineReader } from "../../lib/base/line_reader.ts";
import { FakeMesh } from "../control/fakes.ts";
import { bytes, MemoryConn } from "../control/memory_conn.ts";
import { connectClient } from "../control/session.ts";
import { emptyRequest, startWorkceptor, temporaryFolder } from "../workceptor/_harness.ts";

const LINE_BYTES = 4096;

/** The node that `signfor` names. */
const PARTNER = "partner";

/** The part of a mesh connection that tells who is at the other end. */
function fromMesh(options: { secure: boolean; certified: boolean }): Caller {
  const conn = { remoteNode: PARTNER, remoteService: "x", secure: options.secure } as MeshConn;
  return meshCaller(conn, options);
}

const tcp = { via: "tcp", description: "tcp 192.0.2.1:4711", peer: "192.0.2.1" } as const;

const CALLERS: Record<string, Caller> = {
  "Unix socket": unixCaller(),
  "TCP": { ...tcp, secure: false },
  "TCP, TLS": { ...tcp, secure: true, certifiedNodes: [PARTNER] },
  "mesh": fromMesh({ secure: false, certified: false }),
  "mesh, TLS": fromMesh({ secure: true, certified: true }),
};

interface Row {
  command: string;
  about: string;
  how: string;
  /** The command's line; creates the units that it is about. */
  line: (work: Workceptor) => Promise<string>;
}

const SIGNED = { signature: "good" };

function row(command: string, about: string, how: string, fields: Record<string, string>): Row {
  return { command, about, how, line: () => Promise.resolve(JSON.stringify(fields)) };
}

const anybody = ["status", "ping", "traceroute", "connect", "reload"].map((command) =>
  row(command, "", "", { command, target: "bar", node: "bar", service: "echo" })
);

const queries = ["list", "status"].map((subcommand): Row => ({
  command: `work ${subcommand}`,
  about: "",
  how: "",
  line: async (work) => {
    const unitid = await makeUnit(work, WORK["a work type with `verifysignature`"]);
    return JSON.stringify({ command: "work", subcommand, unitid });
  },
}));

/** Kinds of work, as submitted on the Unix socket. */
const WORK = {
  "a work type": { workType: "plain" },
  "a work type with `verifysignature`": { workType: "verified" },
  "work on another node": { workType: "plain", node: "bar" },
  "work on another node, `signwork`": { workType: "plain", node: "bar", signWork: true },
};

async function makeUnit(work: Workceptor, request: Partial<typeof emptyRequest>): Promise<string> {
  return (await work.submit({ ...emptyRequest, ...request }, unixCaller())).unitId;
}

const submits = Object.entries(WORK).flatMap(([about, request]) =>
  [["unsigned", {}], ["signed", SIGNED]].map(([how, more]) => {
    const { workType, node, signWork } = { ...emptyRequest, ...request };
    return row("work submit", about, how as string, {
      command: "work",
      subcommand: "submit",
      node,
      worktype: workType,
      ...(signWork ? { signwork: "true" } : {}),
      ...more as object,
    });
  })
);

const onUnits = Object.entries(WORK).flatMap(([about, request]) =>
  [["unsigned", {}], ["signed", SIGNED]].flatMap(([how, more]) =>
    ["results", "cancel", "release", "force-release"].map((subcommand): Row => ({
      command: `work ${subcommand}`,
      about,
      how: how as string,
      line: async (work) => {
        const unitid = await makeUnit(work, request);
        const fields = { command: "work", subcommand, unitid, startpos: 0 };
        return JSON.stringify({ ...fields, ...more as object });
      },
    }))
  )
);

/** A mesh in which `connect` finds somebody. */
class OpenMesh extends FakeMesh {
  override onDial = () => {
    const [conn] = MemoryConn.pair();
    return Object.assign(conn, { closed: new Promise<void>(() => {}) }) as unknown as MeshConn;
  };
}

/** Whether `caller` may give the command, judged by the first line of the reply. */
async function isAllowed(work: Workceptor, row: Row, caller: Caller): Promise<boolean> {
  const mesh = new OpenMesh() as unknown as ControlDeps["mesh"];
  const replaced = { work, mesh, reload: () => Promise.resolve() };
  const { conn, served, stop } = connectClient(replaced, caller);
  const reader = new LineReader(conn);
  await reader.readLine({ maxBytes: LINE_BYTES });
  await writeAll(conn, bytes(`${await row.line(work)}\n`));
  const reply = await reader.readLine({ maxBytes: LINE_BYTES });
  stop.abort();
  conn.close();
  await served;
  assert.ok(reply !== null);
  return !reply.startsWith("ERROR");
}

/** For each row: command, subject, manner, and an answer for each caller. */
async function table(rows: readonly Row[]): Promise<string[][]> {
  await using folder = await temporaryFolder();
  const setup = (signFor: string[]) => ({
    nodeId: "foo",
    types: { plain: { command: "cat" }, verified: { command: "cat", verifySignature: true } },
    signFor,
    parts: {
      signWork: () => Promise.resolve("ours"),
      verifySignature: (signature: string) =>
        signature === "good" ? Promise.resolve() : Promise.reject(new ControlError("bad")),
    },
  });
  await using alone = await startWorkceptor(`${folder.path}/alone`, setup([]));
  await using trusting = await startWorkceptor(`${folder.path}/trusting`, setup([PARTNER]));
  const cells: string[][] = [];
  for (const row of rows) {
    const answers: string[] = [];
    for (const caller of Object.values(CALLERS)) {
      const plainly = await isAllowed(alone, row, caller);
      const listed = await isAllowed(trusting, row, caller);
      answers.push(plainly ? "yes" : listed ? "`signfor`" : "no");
      assert.ok(listed || !plainly);
    }
    cells.push([row.command, row.about, row.how, ...answers]);
  }
  return cells;
}

/** Commands with the same answers share a row. */
function joined(cells: readonly string[][]): string[][] {
  const rows = new Map<string, string[]>();
  for (const [command, ...rest] of cells) {
    const key = rest.join("|");
    rows.set(key, [...rows.get(key) ?? [], `\`${command}\``]);
  }
  return [...rows].map(([key, commands]) => [commands.join(", "), ...key.split("|")]);
}

/** The cells of the first table after a heading. */
function tableOf(markdown: string, heading: string): string[][] {
  const section = markdown.split(`## ${heading}\n`)[1] ?? "";
  const lines = /(?:^\|.*\n)+/m.exec(section)?.[0].trim().split("\n") ?? [];
  return lines
    .filter((line) => !/^\|[ |-]+\|$/.test(line))
    .map((line) => line.slice(1, -1).split("|").map((cell) => cell.trim()));
}

Deno.test("who may do what is as the documentation says", async () => {
  const cells = await table([...anybody, ...queries, ...submits, ...onUnits]);
  const markdown = await Deno.readTextFile(new URL("../../docs/security.md", import.meta.url));
  const expected = [["command", "about", "how", ...Object.keys(CALLERS)], ...joined(cells)];
  const written = expected.map((row) => `| ${row.join(" | ")} |`).join("\n");
  assert.deepEqual(tableOf(markdown, "Who may do what"), expected, `it should be:\n${written}`);
});

Deno.test("with an invalid signature only the Unix socket gets in", async () => {
  const rows = [...submits, ...onUnits]
    .filter(({ about, how }) => about.endsWith("`verifysignature`") && how === "signed")
    .map((row): Row => ({
      ...row,
      line: async (work) => (await row.line(work)).replace('"good"', '"forged"'),
    }));
  for (const [, , , unix, ...others] of await table(rows)) {
    assert.equal(unix, "yes");
    assert.deepEqual(new Set(others), new Set(["no"]));
  }
});

Deno.test("signfor counts only for the node that the certificate names", async () => {
  await using folder = await temporaryFolder();
  await using work = await startWorkceptor(folder.path, {
    nodeId: "foo",
    signFor: [PARTNER],
    parts: { signWork: () => Promise.resolve("ours") },
  });
  const request = { ...emptyRequest, ...WORK["work on another node, `signwork`"] };
  const others: Caller[] = [
    { ...tcp, secure: true, certifiedNodes: ["bar", `${PARTNER}2`] },
    { ...tcp, secure: true, certifiedNodes: [] },
    fromMesh({ secure: true, certified: false }),
  ];
  for (const caller of others) {
    await assert.rejects(work.submit(request, caller), {
      name: "ControlError",
      message:
        /^this node signs work only for clients on its Unix socket, and for nodes that signfor/,
    });
  }
  await (await work.submit(request, fromMesh({ secure: true, certified: true }))).abandon("enough");
});

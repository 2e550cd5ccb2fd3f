/** Commands on terminals, reached through the mesh, in one process. */
import assert from "node:assert/strict";
import { type ByteConn, writeAll } from "../../lib/base/byte_conn.ts";
import type { MeshConn } from "../../lib/netceptor/mesh.ts";
import { MeshEntrance } from "../../lib/services/mesh_entrance.ts";
import { TerminalExit } from "../../lib/services/terminal_exit.ts";
import { encodeTerminalFrame, type TerminalFrame } from "../../lib/wire/terminal_frames.ts";
import { eventually, within } from "../support/eventually.ts";
import { isRunning, openDescriptors } from "../support/processes.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { ALL_SURVIVORS, SURVIVORS, survivorsIn } from "./_survivors.ts";
import { TwoNodes } from "./_two_nodes.ts";

const PATIENCE_MS = 60_000;
const ENVIRONMENT = { PATH: Deno.env.get("PATH") ?? "" };

interface Options {
  readonly environment?: Record<string, string>;
  readonly maxConnections?: number;
}

/** The service `svc` of the far node; the result stops it. */
async function serve(
  nodes: TwoNodes,
  command: string,
  { environment = ENVIRONMENT, maxConnections }: Options = {},
): Promise<() => Promise<void>> {
  const exit = new TerminalExit(nodes.deps, { command, environment });
  return nodes.join(
    await MeshEntrance.open(nodes.far, "svc", { takesWindow: true }),
    exit,
    maxConnections,
  );
}

/** A command line that runs a script, by a shell that loses no signal while it starts a program. */
function shell(script: string): string {
  return `bash -c "${script.replaceAll(/["\\]/g, "\\$&")}"`;
}

/** What a user at the near node sees of a command at the far one. */
class Screen {
  readonly conn: MeshConn;
  text = "";

  constructor(conn: MeshConn) {
    this.conn = conn;
  }

  static async open(nodes: TwoNodes): Promise<Screen> {
    return new Screen(await nodes.near.dial("far", "svc"));
  }

  /** As a client with a window. */
  static async openWindow(nodes: TwoNodes, ...frames: TerminalFrame[]): Promise<Screen> {
    const screen = new Screen(await nodes.near.dial("far", "svc", { offersWindow: true }));
    assert.equal(screen.conn.tellsWindow, true);
    for (const frame of frames) await screen.tell(frame);
    return screen;
  }

  async tell(frame: TerminalFrame): Promise<void> {
    await writeAll(this.conn, encodeTerminalFrame(frame));
  }

  async type(text: string): Promise<void> {
    await writeAll(this.conn, new TextEncoder().encode(text));
  }

  /** Resolves to the match as soon as there is one. */
  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.text);
      if (match !== null) return match;
      if (!await this.#more(this.conn)) {
        assert.fail(`no ${pattern} in ${JSON.stringify(this.text)}`);
      }
    }
  }

  /** All of it, up to the end of the connection, with the line ends of a pipe. */
  async all(): Promise<string> {
    while (await this.#more(this.conn));
    return this.text.replaceAll("\r\n", "\n");
  }

  async #more(conn: ByteConn): Promise<boolean> {
    const buffer = new Uint8Array(64 * 1024);
    const count = await within(PATIENCE_MS, "output", conn.read(buffer));
    if (count === null) return false;
    this.text += new TextDecoder().decode(buffer.subarray(0, count));
    return true;
  }
}

function gone(...pids: number[]): Promise<true> {
  return eventually(() => !pids.some(isRunning), { what: `the end of ${pids}` });
}

Deno.test("a command has a terminal of its own, which controls it", async () => {
  await using nodes = await TwoNodes.create();
  await serve(
    nodes,
    shell("tty; stty size; ps -o sid= -o tpgid= -p $$; echo $$; : </dev/tty && echo ok"),
  );
  const screen = await Screen.open(nodes);
  const [, , , session, foreground, pid] =
    /^(\/dev\/pts\/\d+)\n(24 80)\n *(\d+) +(\d+)\n(\d+)\nok\n$/
      .exec(await screen.all())!;
  assert.deepEqual([session, foreground], [pid, pid]);
});

Deno.test("what is typed is shown, and Ctrl-C interrupts", async () => {
  await using nodes = await TwoNodes.create();
  await serve(
    nodes,
    shell('trap "echo caught; exit" INT; read line; echo got $line; while :; do sleep 0.2; done'),
  );
  const screen = await Screen.open(nodes);
  await screen.type("some words\n");
  await screen.shows(/some words\r\ngot some words\r\n/);
  await screen.type("\x03");
  await screen.shows(/\^C.*caught/s);
  await screen.all();
});

Deno.test("a client's window and terminal are those of the command", async () => {
  await using nodes = await TwoNodes.create();
  const script = 'trap "stty size" WINCH; echo $TERM $(stty size); while :; do sleep 0.1; done';
  await serve(nodes, shell(script));
  const screen = await Screen.openWindow(
    nodes,
    { kind: "terminal", name: "vt220" },
    { kind: "window", rows: 33, columns: 111 },
  );
  await screen.shows(/^vt220 33 111\r\n/);
  await screen.tell({ kind: "window", rows: 50, columns: 132 });
  await screen.shows(/\n50 132\r\n/);
  await screen.tell({ kind: "typed", bytes: new TextEncoder().encode("typed") });
  await screen.shows(/typed/);
});

Deno.test("a client with a window that leaves is hung up on at once", async () => {
  await using nodes = await TwoNodes.create();
  await serve(nodes, shell("trap 'echo bye; exit' HUP; echo ready; while :; do sleep 0.1; done"));
  const screen = await Screen.openWindow(nodes, { kind: "window", rows: 0, columns: 0 });
  await screen.shows(/ready/);
  await screen.conn.closeWrite();
  assert.match(await screen.all(), /bye\n$/);
});

Deno.test("a client that talks nonsense, or nothing, about its window is cut off", async () => {
  await using nodes = await TwoNodes.create();
  await serve(nodes, "cat");
  for (const nonsense of ["02 00 01 2f", "00 00 01 61", "01 00 00"]) {
    const screen = await Screen.openWindow(nodes);
    await writeAll(screen.conn, Uint8Array.from(nonsense.split(" "), (byte) => parseInt(byte, 16)));
    await assert.rejects(screen.all());
  }
  const late = await Screen.openWindow(nodes, { kind: "window", rows: 24, columns: 80 });
  await late.tell({ kind: "typed", bytes: new TextEncoder().encode("x\n") });
  await late.shows(/x\r\nx\r\n/);
  await writeAll(late.conn, Uint8Array.of(1, 0, 0));
  await assert.rejects(late.all());
  const gone = await Screen.openWindow(nodes);
  await gone.conn.closeWrite();
  await assert.rejects(gone.all());
  await nodes.waitForLog(/Error running command: the client has left/);
});

Deno.test("no output of a quick command is lost", async () => {
  await using nodes = await TwoNodes.create();
  await serve(nodes, "seq 1 20000");
  const expected = Array.from({ length: 20_000 }, (_, index) => `${index + 1}\n`).join("");
  for (let round = 0; round < 5; round++) {
    const screens = await Promise.all(Array.from({ length: 8 }, () => Screen.open(nodes)));
    for (const screen of screens) assert.equal(await screen.all() === expected, true);
  }
});

Deno.test("the end of a pipe is typed: what was asked is still answered", async () => {
  await using nodes = await TwoNodes.create();
  await serve(nodes, "cat");
  const screen = await Screen.open(nodes);
  await screen.type("question\n");
  await screen.conn.closeWrite();
  assert.match(await screen.all(), /^question\nquestion\n/);
});

Deno.test("a command that does not mind the end of its input is hung up on", async () => {
  await using nodes = await TwoNodes.create();
  await serve(nodes, shell('trap "echo bye; exit" HUP; echo ready; while :; do sleep 0.1; done'));
  const screen = await Screen.open(nodes);
  await screen.shows(/ready/);
  await screen.conn.closeWrite();
  assert.match(await screen.all(), /bye\n$/);
});

async function survivors(screen: Screen): Promise<number[]> {
  await screen.shows(ALL_SURVIVORS);
  return survivorsIn(screen.text);
}

Deno.test("all that a command has started ends with the connection", async () => {
  await using folder = await TempFolder.create();
  await using nodes = await TwoNodes.create();
  await Deno.writeTextFile(folder.join("script"), `${SURVIVORS}\nexec sleep 1004\n`);
  await serve(nodes, `sh ${folder.join("script")}`);
  for (const leave of ["abort", "close"] as const) {
    const screen = await Screen.open(nodes);
    const pids = await survivors(screen);
    screen.conn[leave]();
    await gone(...pids);
  }
});

Deno.test("what a command leaves behind ends with it, and does not hold up the connection's end", async () => {
  await using folder = await TempFolder.create();
  await using nodes = await TwoNodes.create();
  await Deno.writeTextFile(folder.join("script"), `${SURVIVORS}\nread line\necho last words`);
  await serve(nodes, `sh ${folder.join("script")}`);
  const screen = await Screen.open(nodes);
  const pids = await survivors(screen);
  await screen.type("\n");
  assert.match(await screen.all(), /last words\n$/);
  await gone(...pids);
});

Deno.test("stopping the service ends its commands before it resolves", async () => {
  await using folder = await TempFolder.create();
  await using nodes = await TwoNodes.create();
  await Deno.writeTextFile(folder.join("script"), `${SURVIVORS}\nexec sleep 1004\n`);
  const descriptors = openDescriptors(Deno.pid);
  const stop = await serve(nodes, `sh ${folder.join("script")}`);
  const screens = await Promise.all([Screen.open(nodes), Screen.open(nodes)]);
  const pids = (await Promise.all(screens.map(survivors))).flat();
  await stop();
  assert.deepEqual(pids.filter(isRunning), []);
  for (const { conn } of screens) await assert.rejects(conn.read(new Uint8Array(1)));
  await eventually(() => openDescriptors(Deno.pid) <= descriptors, { what: "closed files" });
});

/** Resolves when a process no longer writes, to how many bytes it has written. */
function stalled(pid: number): Promise<number> {
  const written = () =>
    Number(/^wchar: (\d+)$/m.exec(Deno.readTextFileSync(`/proc/${pid}/io`))![1]);
  return eventually(async () => {
    const before = written();
    await new Promise((resolve) => setTimeout(resolve, 500));
    return before === written() ? before : undefined;
  }, { what: "a writer that waits" });
}

Deno.test("a command waits for a reader that is slow", async () => {
  await using nodes = await TwoNodes.create();
  await serve(nodes, shell("echo $$; exec yes"));
  const screen = await Screen.open(nodes);
  const pid = Number((await screen.shows(/^(\d+)\r\n/))[1]);
  const before = await stalled(pid);
  // The mesh and the terminal hold what they may, and not more.
  assert.ok(before < 32 * 1024 * 1024, `${before} bytes`);
  for (let read = 0; read < 16 * 1024 * 1024;) {
    read += (await screen.conn.read(new Uint8Array(1024 * 1024)))!;
  }
  assert.ok(await stalled(pid) > before);
});

Deno.test("a service stops although nobody reads the output of its command", async () => {
  await using nodes = await TwoNodes.create();
  const stop = await serve(nodes, shell("echo $$; exec yes"));
  const screen = await Screen.open(nodes);
  const pid = Number((await screen.shows(/^(\d+)\r\n/))[1]);
  await stalled(pid);
  await within(PATIENCE_MS, "the service's end", stop());
  assert.equal(isRunning(pid), false);
});

Deno.test("a command that does not read makes its writer wait, and its end is still seen", async () => {
  await using nodes = await TwoNodes.create();
  await serve(nodes, shell("stty raw -echo; echo $$; exec sleep 1000"));
  const screen = await Screen.open(nodes);
  const pid = Number((await screen.shows(/^(\d+)\r?\n/))[1]);
  await writeAll(screen.conn, new Uint8Array(40 * 1024));
  await screen.conn.closeWrite();
  await screen.all();
  await gone(pid);
});

Deno.test("100 terminals at once", async () => {
  await using nodes = await TwoNodes.create();
  await serve(nodes, "cat");
  const users = Array.from({ length: 100 }, async (_, index) => {
    const screen = await Screen.open(nodes);
    await screen.type(`I am ${index}\n`);
    await screen.shows(new RegExp(`^I am ${index}\r\nI am ${index}\r\n$`));
    return screen;
  });
  const screens = await Promise.all(users);
  await Promise.all(screens.map(async (screen) => {
    await screen.type("\x04");
    await screen.all();
  }));
});

Deno.test("a service has a bounded number of terminals", async () => {
  await using nodes = await TwoNodes.create();
  await serve(nodes, "cat", { maxConnections: 2 });
  const open = await Promise.all([Screen.open(nodes), Screen.open(nodes)]);
  for (const screen of open) {
    await screen.type("x\n");
    await screen.shows(/x\r\nx\r\n/);
  }
  const refused = await Screen.open(nodes);
  await assert.rejects(refused.all());
  await nodes.waitForLog(/near:\S+: there are more than 2 connections/);
  await open[0]!.type("\x04");
  await open[0]!.all();
  // Its place is free when nothing is left of it.
  await eventually(async () => {
    const next = await Screen.open(nodes);
    await next.type("y\n");
    return await next.shows(/y\r\ny\r\n/);
  }, { what: "room for another terminal" });
});

Deno.test("a command that cannot be run ends the connection, and the log says why", async () => {
  await using nodes = await TwoNodes.create();
  await serve(nodes, "no-such-command --flag");
  const screen = await Screen.open(nodes);
  await assert.rejects(screen.all());
  await nodes.waitForLog(
    /Error running command: exec: "no-such-command": executable file not found in \$PATH/,
  );
});

Deno.test("a command's environment is the one documented", async () => {
  await using nodes = await TwoNodes.create();
  await serve(nodes, "env", {
    environment: {
      ...ENVIRONMENT,
      HOME: "/home/somebody",
      USER: "somebody",
      LC_ALL: "C.UTF-8",
      TERM: "dumb",
      PWD: "/",
      SECRET: "of the node",
      LD_PRELOAD: "/no/such/library.so",
      "not a name": "x",
    },
  });
  const lines = (await (await Screen.open(nodes)).all()).trimEnd().split("\n")
    // Where `sh` is bash.
    .filter((line) => !line.startsWith("_="));
  assert.deepEqual(lines.sort(), [
    "HOME=/home/somebody",
    "LC_ALL=C.UTF-8",
    `PATH=${ENVIRONMENT.PATH}`,
    "TERM=xterm-256color",
    "USER=somebody",
  ]);
});

Deno.test("a command line that makes no sense is refused", () => {
  const make = (command: string) => () =>
    new TerminalExit({ clock: undefined! }, { command, environment: {} });
  assert.throws(make('sh -c "'), /EOF found when expecting closing quote/);
  assert.throws(make("  "), /there is no command/);
});

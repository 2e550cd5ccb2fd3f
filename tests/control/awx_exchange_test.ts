/**
 * AWX's exchanges (awx/main/tasks/receptor.py, through the Python `ReceptorControl`) with the
 * fields, texts and half-closes that it depends on, over a real Unix socket.
 */
import assert from "node:assert/strict";
import { writeAll } from "../../lib/base/byte_conn.ts";
import { LineReader } from "../../lib/base/line_reader.ts";
import { FakeNode } from "../ctl/fake_node.ts";
import { bytes, readText } from "./memory_conn.ts";

/** As Python's `ReceptorControl`: one socket, a buffered reader, stripped lines. */
class ReceptorControl implements Disposable {
  readonly #conn: LineReader;

  private constructor(conn: LineReader) {
    this.#conn = conn;
  }

  static async connect(path: string): Promise<ReceptorControl> {
    const control = new ReceptorControl(
      new LineReader(await Deno.connect({ transport: "unix", path })),
    );
    assert.match(await control.readLine(), /^Receptor Control, node (.+)$/);
    return control;
  }

  async readLine(): Promise<string> {
    return (await this.#conn.readLine({ maxBytes: 1e6 }))!.trim();
  }

  async send(text: string): Promise<void> {
    await writeAll(this.#conn, bytes(text));
  }

  async simpleCommand(command: string) {
    await this.send(`${command}\n`);
    const text = await this.readLine();
    if (text.startsWith("ERROR:")) throw new Error(text.slice(7));
    return JSON.parse(text);
  }

  shutdownWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  rest(): Promise<string> {
    return readText(this.#conn);
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }
}

Deno.test("AWX finds nodes by the advertisements, several commands over one connection", async () => {
  await using node = await FakeNode.start();
  using control = await ReceptorControl.connect(node.socket);
  for (let round = 0; round < 3; round++) {
    const status = await control.simpleCommand("status");
    const [advert] = status.Advertisements;
    assert.deepEqual([advert.NodeID, advert.ConnType], ["foo", 1]);
    assert.ok(Number.isFinite(Date.parse(advert.Time)));
    assert.equal(status.KnownConnectionCosts.foo.bar, 1);
  }
});

Deno.test("AWX submits a job, half-closes, and reads one line with the unit's id", async () => {
  await using node = await FakeNode.start();
  using control = await ReceptorControl.connect(node.socket);
  const command = {
    command: "work",
    subcommand: "submit",
    node: "localhost",
    worktype: "cat",
    signwork: "true",
    params: "--private-data-dir=/tmp/awx_1",
  };
  await control.send(`${JSON.stringify(command)}\n`);
  const [, unitId] = /^Work unit created with ID (.+). Send stdin data and EOF.$/.exec(
    await control.readLine(),
  )!;
  await control.send('{"kwargs": {}}\n{"zipfile": 3}\nQUJD{"eof": true}\n');
  await control.shutdownWrite();
  assert.deepEqual(JSON.parse(await control.readLine()), {
    result: "Job Started",
    unitid: unitId,
  });
  assert.equal(await control.rest(), "");

  // Its results come on a new connection, whose writing side is closed as soon as they begin.
  using results = await ReceptorControl.connect(node.socket);
  await results.send(`work results ${unitId} 0\n`);
  assert.match(await results.readLine(), /^Streaming results for work unit (.+)$/);
  await results.shutdownWrite();
  assert.equal(await results.rest(), '{"kwargs": {}}\n{"zipfile": 3}\nQUJD{"eof": true}\n');
});

Deno.test("AWX sends an empty payload for a health check, and compares the release exactly", async () => {
  await using node = await FakeNode.start();
  using submitting = await ReceptorControl.connect(node.socket);
  const command = {
    command: "work",
    subcommand: "submit",
    node: "bar",
    worktype: "cat",
    tlsclient: "tlsclient",
    ttl: "20s",
    params: "--worker-info",
  };
  await submitting.send(`${JSON.stringify(command)}\n`);
  await submitting.readLine();
  await submitting.shutdownWrite();
  const { unitid } = JSON.parse(await submitting.readLine());
  assert.equal(node.work.units.get(unitid)!.request.ttl, "20s");

  using control = await ReceptorControl.connect(node.socket);
  const status = await control.simpleCommand(`work status ${unitid}`);
  assert.deepEqual(
    [status.StateName, status.Detail, status.StdoutSize, status.ExtraData],
    ["Succeeded", "exit status 0", 0, null],
  );
  assert.deepEqual(Object.keys(await control.simpleCommand("work list")), [unitid]);
  assert.deepEqual(await control.simpleCommand(`work cancel ${unitid}`), { cancelled: unitid });
  assert.deepEqual(await control.simpleCommand(`work release ${unitid}`), { released: unitid });
  await assert.rejects(
    control.simpleCommand(`work release ${unitid}`),
    new Error(`unknown work unit ${unitid}`),
  );
});

Deno.test("AWX asks for the last 1,000 bytes of the output of a failed job", async () => {
  await using node = await FakeNode.start();
  using submitting = await ReceptorControl.connect(node.socket);
  await submitting.send("work submit localhost cat\n");
  const output = Array.from({ length: 1_000 }, (_, line) => `line ${line}\n`).join("");
  await submitting.send(output);
  await submitting.shutdownWrite();
  await submitting.readLine();
  const { unitid } = JSON.parse(await submitting.readLine());

  using control = await ReceptorControl.connect(node.socket);
  const { StdoutSize } = await control.simpleCommand(`work status ${unitid}`);
  await control.send(`work results ${unitid} ${Math.max(StdoutSize - 1_000, 0)}\n`);
  await control.readLine();
  await control.shutdownWrite();
  assert.equal(await control.rest(), output.slice(-1_000));
});

Deno.test("AWX ends a job by cancelling it and shutting the results socket", async () => {
  await using node = await FakeNode.start();
  using submitting = await ReceptorControl.connect(node.socket);
  await submitting.send("work submit localhost cat\n");
  await submitting.readLine();
  await submitting.shutdownWrite();
  const { unitid } = JSON.parse(await submitting.readLine());
  const cancelled = Promise.withResolvers<void>();
  node.work.output = async function* () {
    yield bytes("event\n");
    await cancelled.promise;
  };
  using results = await ReceptorControl.connect(node.socket);
  await results.send(`work results ${unitid} 0\n`);
  await results.readLine();
  await results.shutdownWrite();
  assert.equal(await results.readLine(), "event");
  using control = await ReceptorControl.connect(node.socket);
  await control.simpleCommand(`work cancel ${unitid}`);
  cancelled.resolve();
  assert.equal(await results.rest(), "");
});

Deno.test("a hundred idle clients and one that sends 100 MB without a newline harm nobody", async () => {
  await using node = await FakeNode.start();
  await using idle = new AsyncDisposableStack();
  for (let count = 0; count < 100; count++) {
    idle.use(await ReceptorControl.connect(node.socket));
  }
  using flood = await Deno.connect({ transport: "unix", path: node.socket });
  const before = Deno.memoryUsage().rss;
  let peak = before;
  const piece = new Uint8Array(1024 * 1024).fill(120);
  for (let sent = 0; sent < 100; sent++) {
    await writeAll(flood, piece);
    peak = Math.max(peak, Deno.memoryUsage().rss);
  }
  await flood.closeWrite();
  assert.match(
    await readText(flood),
    /^Receptor Control, node foo\nERROR: command line is longer than \d+ bytes\n$/,
  );
  // Twice the bound of a line, since a growing buffer is copied, and as much again for garbage.
  assert.ok(peak - before < 70e6, `${peak - before} bytes more`);
  using control = await ReceptorControl.connect(node.socket);
  assert.equal((await control.simpleCommand("ping foo")).Success, true);
});

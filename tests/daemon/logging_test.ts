import assert from "node:assert/strict";
import { loadCommand } from "../../lib/config/load_config.ts";
import { createLog, defaultLogSettings, logSettingsOf } from "../../lib/daemon/logging.ts";

const WALL_TIME = new Date(2026, 10, 21, 0, 26, 11, 123).getTime();

function recording(settings: Partial<typeof defaultLogSettings> = {}) {
  const lines: string[] = [];
  const log = createLog({ ...defaultLogSettings, ...settings }, {
    write: (line) => lines.push(line),
    wallTime: () => WALL_TIME,
  });
  return { log, lines };
}

async function configOf(...args: string[]) {
  const command = await loadCommand(["--node", "id=foo", "--local-only", ...args]);
  assert.equal(command.kind, "run");
  return command.config;
}

Deno.test("a text line looks as the original prints it", () => {
  const { log, lines } = recording();
  log.info("Initialization complete");
  log.with({ node_id: "foo" }).warning("Backend connection failed", { remote_id: "bar" });
  assert.deepEqual(lines, [
    "INFO 2026/11/21 00:26:11 Initialization complete\n",
    'WARNING 2026/11/21 00:26:11 Backend connection failed {"node_id":"foo","remote_id":"bar"}\n',
  ]);
});

Deno.test("a JSON line has time, level, message and the fields", () => {
  const { log, lines } = recording({ format: "json" });
  log.with({ node_id: "foo" }).error("no\nroute", { level: 3, hops: 2n });
  assert.equal(lines.length, 1);
  assert.equal(lines[0]!.indexOf("\n"), lines[0]!.length - 1);
  assert.deepEqual(JSON.parse(lines[0]!), {
    time: new Date(WALL_TIME).toISOString(),
    level: "error",
    message: "no\nroute",
    node_id: "foo",
    level_: 3,
    hops: "2",
  });
});

Deno.test("what is less urgent than the level is not shown", () => {
  const { log, lines } = recording({ level: "warning" });
  log.error("e");
  log.warning("w");
  log.info("i");
  log.debug("d");
  log.trace("t");
  assert.deepEqual(lines.map((line) => line.split(" ")[0]), ["ERROR", "WARNING"]);
});

Deno.test("trace lines show whatever the level when tracing is on", () => {
  const { log, lines } = recording({ level: "error", tracing: true });
  log.with({ node_id: "foo" }).trace("forwarded", { hops: 29 });
  assert.deepEqual(lines, ['TRACE 2026/11/21 00:26:11 forwarded {"node_id":"foo","hops":29}\n']);
});

Deno.test("neither message nor fields can forge a line or send terminal escapes", () => {
  for (const format of ["text", "json"] as const) {
    const { log, lines } = recording({ format });
    const hostile = "x\r\nERROR 2026/11/21 00:26:11 forged\x1b[2J\x9b\x7f\u2028\u2029\0";
    log.info(hostile, { hostile, [hostile]: 1 });
    // deno-lint-ignore no-control-regex -- what must not be there
    assert.match(lines.join(""), /^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+\n$/);
  }
});

Deno.test("fields that JSON cannot represent do not lose the line", () => {
  const { log, lines } = recording();
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  log.info("round", { circle });
  log.info("failed", { error: new Error("broken", { cause: new Error("deeper") }) });
  log.info("absent", { nothing: undefined });
  assert.match(lines[0]!, /^INFO .* round \{"unprintable_fields":".*circular.*"\}\n$/);
  assert.match(lines[1]!, / failed \{"error":"broken: deeper"\}\n$/);
  assert.match(lines[2]!, / absent\n$/);
});

Deno.test("the configuration sets level, format and tracing", async () => {
  const noEnvironment = new Map<string, string>();
  const jsonEnvironment = new Map([["RECEPTOR_LOG_FORMAT", "json"]]);
  assert.deepEqual(logSettingsOf(await configOf(), noEnvironment), {
    level: "info",
    format: "text",
    tracing: false,
  });
  assert.deepEqual(logSettingsOf(await configOf("--log-level"), jsonEnvironment), {
    level: "error",
    format: "json",
    tracing: false,
  });
  assert.deepEqual(
    logSettingsOf(
      await configOf("--log-level", "DEBUG", "format=text", "--trace"),
      jsonEnvironment,
    ),
    { level: "debug", format: "text", tracing: true },
  );
});

Deno.test("an unknown format in the environment is an error that says what is allowed", async () => {
  const config = await configOf();
  assert.throws(() => logSettingsOf(config, new Map([["RECEPTOR_LOG_FORMAT", "xml"]])), {
    name: "InvalidConfigError",
    message: 'RECEPTOR_LOG_FORMAT: expected text or json, got "xml"',
  });
});

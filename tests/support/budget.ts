/**
 * What an attack costs a daemon: memory, turns of its event loop, lines in its log. The table in
 * `docs/security.md` says what each kind of input may cost at most.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Mesh } from "./mesh.ts";
import { peakResidentBytes, residentBytes } from "./processes.ts";
import type { TestNode, TestNodeOptions } from "./test_node.ts";

const PROBE = fileURLToPath(new URL("loop_probe.cjs", import.meta.url));
const MEBIBYTE = 1 << 20;
/** Longest turn of the event loop, in processor time of its thread. */
const MAX_TURN_MS = 200;

/**
 * What the log at its usual level may grow by: tables of routes, at most every ten seconds, and
 * what happens once.
 */
const MAX_LOG = { bytes: 256 * 1024, bytesPerSecond: 16 * 1024 };

export class Budget {
  readonly node: TestNode;
  readonly #probeFile: string;
  #residentBefore = 0;
  #logBefore = 0;
  #beganMs = 0;
  #turnsBefore = 0;

  private constructor(node: TestNode, probeFile: string) {
    this.node = node;
    this.#probeFile = probeFile;
    assert.ok(this.#turns().length > 0, "the probe runs in the daemon");
    this.begin();
  }

  /** Starts a daemon of ours whose costs are counted from now on. */
  static async start(mesh: Mesh, options: Omit<TestNodeOptions, "kind">): Promise<Budget> {
    const probeFile = (await mesh.folder()).join("turns");
    const env = { NODE_OPTIONS: `--require "${PROBE}"`, RECEPTOR_LOOP_PROBE: probeFile };
    const node = await mesh.node({ logLevel: "info", ...options, kind: "ours", env });
    return new Budget(node, probeFile);
  }

  /** Counts from now on. */
  begin(): void {
    this.#residentBefore = residentBytes(this.node.pid);
    this.#logBefore = this.node.log.length;
    this.#beganMs = performance.now();
    this.#turnsBefore = this.#turns().length;
  }

  /**
   * Since `begin`, `what` made the process grow by less than that many MiB, held the event loop up
   * for no longer than it may, and did not fill the log.
   */
  assertKept(mebibytes: number, what = "the attack"): void {
    const grown = (peakResidentBytes(this.node.pid) - this.#residentBefore) / MEBIBYTE;
    assert.ok(grown < mebibytes, `${what} took ${grown.toFixed()} MiB of ${mebibytes}`);
    const turns = this.#turns().slice(this.#turnsBefore).sort((a, b) => b - a);
    assert.ok(
      (turns[0] ?? 0) <= MAX_TURN_MS,
      `turns of the event loop during ${what} took ${turns.slice(0, 5)} ms of processor time`,
    );
    const logged = this.node.log.slice(this.#logBefore);
    const seconds = (performance.now() - this.#beganMs) / 1000;
    assert.ok(
      logged.length <= MAX_LOG.bytes + seconds * MAX_LOG.bytesPerSecond,
      `${what} logged ${logged.length} characters in ${seconds} s, such as ${logged.slice(-500)}`,
    );
  }

  /** Processor time of the longer turns so far, in milliseconds. */
  #turns(): number[] {
    return Deno.readTextFileSync(this.#probeFile).split("\n").slice(0, -1).map(Number);
  }
}

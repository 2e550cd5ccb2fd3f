/**
 * A test with a mesh of real daemons. Whatever happens, every process and folder is gone at its
 * end; if it fails, the logs of its nodes are printed.
 */
import { within } from "./eventually.ts";
import { findProgram } from "./find_program.ts";
import { LinkProxy } from "./link_proxy.ts";
import { Namespace } from "./namespaces.ts";
import { folderOf, type Need, needsOf, type NodeKind } from "./peers.ts";
import { freePort } from "./ports.ts";
import { TempFolder } from "./temp_folder.ts";
import { type Action, TestNode, type TestNodeOptions } from "./test_node.ts";

/** How much of each node's log a failed test prints, in characters from its end. */
const PRINTED_LOG = 20_000;

/** A test that hangs must fail and not stop the whole run. */
const TEST_DEADLINE_MS = 180_000;

/** Nodes in a line, each linked to the next. */
export interface Line {
  nodes: TestNode[];
  /** `links[i]` carries what goes between node i and node i + 1. */
  links: LinkProxy[];
}

export class Mesh implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly #nodes: TestNode[] = [];

  /** Starts a node that lives as long as the test. */
  async node(options: TestNodeOptions): Promise<TestNode> {
    const node = this.#stack.use(await TestNode.start(options));
    this.#nodes.push(node);
    return node;
  }

  /** A link to `port` that can be cut, stalled and healed. */
  link(port: number): LinkProxy {
    return this.#stack.use(LinkProxy.start(port));
  }

  /** Network interfaces apart from those of the machine; see `missingForNamespaces`. */
  async namespace(): Promise<Namespace> {
    return this.#stack.use(await Namespace.create());
  }

  /** A private folder that lives as long as the test. */
  async folder(): Promise<TempFolder> {
    return this.#stack.use(await TempFolder.create());
  }

  /**
   * Starts one node of each kind, named n1, n2, …; each listens and the one before it dials it,
   * through a proxy. Resolves when each end has a route to every node.
   */
  async line(
    kinds: readonly NodeKind[],
    extra: (id: string, index: number) => Partial<TestNodeOptions> = () => ({}),
  ): Promise<Line> {
    const nodes: TestNode[] = [];
    const links: LinkProxy[] = [];
    let previous: Action | undefined;
    for (const [index, kind] of kinds.entries()) {
      const id = `n${index + 1}`;
      const more = extra(id, index);
      const actions = [...(more.actions ?? [])];
      if (previous !== undefined) actions.push(previous);
      if (index < kinds.length - 1) {
        const port = freePort();
        actions.push({ "tcp-listener": { bindaddr: "127.0.0.1", port } });
        const link = this.link(port);
        links.push(link);
        previous = { "tcp-peer": { address: `127.0.0.1:${link.port}` } };
      }
      nodes.push(await this.node({ ...more, kind, id, actions }));
    }
    const ids = nodes.map((node) => node.id);
    await Promise.all(
      nodes.map((node) => node.waitForRoute(...ids.filter((id) => id !== node.id))),
    );
    return { nodes, links };
  }

  /** The logs of all nodes, for a failed test. */
  logs(): string {
    return this.#nodes.map((node) =>
      `--- log of ${node.id} (${node.kind}) ---\n${node.log.slice(-PRINTED_LOG)}\n`
    ).join("");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

export interface MeshTestOptions {
  /** Kinds of nodes that the test starts, which determine what must be installed. */
  kinds?: readonly NodeKind[];
  /** Anything else that must be installed. */
  needs?: readonly Need[];
  /** Programs of the system that it uses. */
  programs?: readonly string[];
  /** What it takes besides and is missing; "" for nothing. */
  missing?: string;
  /** The test fails, with its logs printed, if it takes longer than this. */
  timeoutMs?: number;
}

/** Registers a test that gets a mesh; ignored, with a name that says so, if a need is missing. */
export function meshTest(
  name: string,
  options: MeshTestOptions,
  body: (mesh: Mesh) => Promise<void>,
): void {
  const { timeoutMs = TEST_DEADLINE_MS } = options;
  const needs = [...needsOf(...(options.kinds ?? [])), ...(options.needs ?? [])];
  const unset = [...new Set(needs)].filter((need) => folderOf(need) === undefined);
  const absent = (options.programs ?? []).filter((name) => findProgram(name) === undefined);
  const missing = [
    ...unset.length > 0 ? [`${unset.join(", ")} not set`] : [],
    ...absent.length > 0 ? [`${absent.join(", ")} not installed`] : [],
    ...options.missing ? [`it takes ${options.missing}`] : [],
  ];
  Deno.test({
    name: missing.length > 0 ? `${name} (skipped: ${missing.join("; ")})` : name,
    ignore: missing.length > 0,
    async fn() {
      await using mesh = new Mesh();
      try {
        await within(timeoutMs, "the end of the test", body(mesh));
      } catch (error) {
        // Where the test runner shows a failed test's output.
        Deno.stderr.writeSync(new TextEncoder().encode(mesh.logs()));
        throw error;
      }
    },
  });
}

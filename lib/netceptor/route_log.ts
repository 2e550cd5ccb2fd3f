/**
 * Logs routes, in the original's words and layout, which people search their logs for:
 *
 *     Known Connections:
 *        node: neighbour(1.00) …
 *     Routing Table:
 *        node via neighbour
 *
 * The original writes both tables after each change, which a large mesh, or one malicious
 * neighbour, turns into megabytes per second. Here they come at most once in ten seconds and cut
 * off; what changes in between is logged at once, as lines of the routing table and at most ten per
 * second.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { RateLimit } from "./rate_limit.ts";
import type { ConnectionCosts } from "./shortest_paths.ts";

/** The neighbour to go through, for each node that can be reached. */
export type Routes = ReadonlyMap<string, string>;

export interface RouteLogDeps {
  readonly log: Log;
  readonly clock: Clock;
  /** Read when the tables are written. */
  readonly tables: { readonly costs: ConnectionCosts; readonly routes: Routes };
}

/** The tables are written at most this often, in milliseconds. */
const TABLES_GAP_MS = 10_000;
/** Characters of each table; the rest is only counted. */
const MAX_TABLE_LENGTH = 32_768;
/** Characters of the list of one node's neighbours. */
const MAX_LIST_LENGTH = 2_048;
const MAX_CHANGE_LINES_PER_SECOND = 10;

export class RouteLog implements Disposable {
  readonly #deps: RouteLogDeps;
  readonly #changeLines: RateLimit;
  #tablesDueMs = -Infinity;
  #timer: Disposable | undefined;

  constructor(deps: RouteLogDeps) {
    this.#deps = deps;
    this.#changeLines = new RateLimit(deps.clock, MAX_CHANGE_LINES_PER_SECOND);
  }

  /** The tables have changed; `before` is the previous routing table. */
  changed(before: Routes): void {
    const { clock } = this.#deps;
    const waitMs = this.#tablesDueMs - clock.now();
    if (waitMs <= 0) return this.#writeTables();
    this.#writeChanges(before);
    this.#timer ??= clock.after(waitMs, () => this.#writeTables());
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #writeTables(): void {
    const { log, clock, tables } = this.#deps;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#tablesDueMs = clock.now() + TABLES_GAP_MS;
    log.info("Known Connections:");
    this.#writeTable(tables.costs, (node, neighbours) => `   ${node}: ${listText(neighbours)}`);
    log.info("Routing Table:");
    this.#writeTable(tables.routes, routeText);
  }

  #writeTable<Row>(table: ReadonlyMap<string, Row>, text: (node: string, row: Row) => string) {
    const { log } = this.#deps;
    let length = 0;
    let written = 0;
    for (const [node, row] of table) {
      if (length >= MAX_TABLE_LENGTH) {
        log.info(`   … and ${table.size - written} more`);
        return;
      }
      const line = text(node, row);
      log.info(line);
      length += line.length;
      written++;
    }
  }

  #writeChanges(before: Routes): void {
    const { log, tables: { routes } } = this.#deps;
    const write = (line: string) => {
      const mayWrite = this.#changeLines.take();
      if (mayWrite) log.info(line);
      return mayWrite;
    };
    for (const [node, neighbour] of routes) {
      if (before.get(node) !== neighbour && !write(routeText(node, neighbour))) return;
    }
    for (const node of before.keys()) {
      if (!routes.has(node) && !write(`   ${node} cannot be reached any more`)) return;
    }
  }
}

function routeText(node: string, neighbour: string): string {
  return `   ${node} via ${neighbour}`;
}

function listText(neighbours: ReadonlyMap<string, number>): string {
  let text = "";
  for (const [node, cost] of neighbours) {
    if (text.length >= MAX_LIST_LENGTH) return `${text}…`;
    text += `${node}(${cost.toFixed(2)}) `;
  }
  return text;
}

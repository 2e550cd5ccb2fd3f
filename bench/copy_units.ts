/**
 * Many finished units on disk without hours of running them: copies, under new ids, of one that the
 * daemon itself left.
 */
import { join } from "node:path";
import type { TestNode } from "../tests/support/test_node.ts";
import { pool } from "./pool.ts";

const WIDTH = 16;
/** Length of the random part of a unit's id. */
const SUFFIX_LENGTH = 8;

/**
 * Makes `count` copies of the unit on each of `nodes`, which must not be running and which find
 * them at their next start. Resolves to the copies' ids.
 */
export async function copyUnit(
  unitId: string,
  count: number,
  nodes: readonly TestNode[],
): Promise<string[]> {
  const stem = unitId.slice(0, -SUFFIX_LENGTH);
  return await pool(count, WIDTH, async (index) => {
    const copy = stem + `c${String(index).padStart(SUFFIX_LENGTH - 1, "0")}`;
    for (const node of nodes) {
      await copyFolder(node.unitFolder(unitId), node.unitFolder(copy), [unitId, copy]);
    }
    return copy;
  });
}

async function copyFolder(from: string, to: string, [id, copy]: [string, string]): Promise<void> {
  await Deno.mkdir(to, { mode: 0o700 });
  for await (const { name } of Deno.readDir(from)) {
    const text = await Deno.readTextFile(join(from, name));
    await Deno.writeTextFile(join(to, name), text.replaceAll(id, copy), { mode: 0o600 });
  }
}

/**
 * Who gives way when a bounded resource is used up. Owners come in groups: nodes of the mesh behind
 * a neighbour, which can invent as many as it likes. So the group that holds the most gives way
 * first, and in it the owner that holds the most: whoever invents owners only takes from its own.
 */

/** Somebody who wants `more` than it holds. */
export interface Asker {
  readonly owner: string;
  readonly more: number;
}

/**
 * The owner that gives way to `asker`, given what each holds; undefined if the asker would itself
 * hold the most.
 */
export function giveWay(
  held: ReadonlyMap<string, number>,
  { owner, more }: Asker,
  groupOf: (owner: string) => string = (each) => each,
): string | undefined {
  const ownGroup = groupOf(owner);
  const groups = new Map<string, Map<string, number>>([[ownGroup, new Map([[owner, more]])]]);
  for (const [each, size] of held) {
    const name = groupOf(each);
    let group = groups.get(name);
    if (group === undefined) groups.set(name, group = new Map());
    group.set(each, (group.get(each) ?? 0) + size);
  }
  const sums = new Map(Array.from(groups, ([name, group]) => [name, sum(group.values())]));
  const victim = heaviest(groups.get(heaviest(sums, ownGroup))!, owner);
  return victim === owner ? undefined : victim;
}

/** The heaviest; of equals not `own`, if there is a choice. */
function heaviest(sizes: ReadonlyMap<string, number>, own: string): string {
  let found = own;
  let most = -Infinity;
  for (const [name, size] of sizes) {
    if (name !== own && size > most) [found, most] = [name, size];
  }
  return (sizes.get(own) ?? -Infinity) > most ? own : found;
}

function sum(sizes: Iterable<number>): number {
  let total = 0;
  for (const size of sizes) total += size;
  return total;
}

/** "Did you mean": the known name that a mistyped one most likely stands for. */

/** Names longer than this are no typing mistakes, and comparing them would take long. */
const MAX_COMPARED_LENGTH = 64;

/** The nearest of `names`, or undefined if none is near enough to mention. */
export function nearestName(wrong: string, names: Iterable<string>): string | undefined {
  if (wrong.length > MAX_COMPARED_LENGTH) return undefined;
  const wanted = wrong.toLowerCase();
  let nearest: string | undefined;
  let nearestDistance = Infinity;
  for (const name of names) {
    const distance = editDistance(wanted, name.toLowerCase());
    const tolerated = Math.max(1, Math.floor(Math.max(wanted.length, name.length) / 3));
    if (distance <= tolerated && distance < nearestDistance) {
      nearest = name;
      nearestDistance = distance;
    }
  }
  return nearest;
}

/** `: did you mean "address"?`, or nothing. */
export function didYouMean(wrong: string, names: Iterable<string>): string {
  const nearest = nearestName(wrong, names);
  return nearest === undefined ? "" : `: did you mean ${JSON.stringify(nearest)}?`;
}

/**
 * How many insertions, deletions, substitutions and swaps of adjacent letters turn `a` into `b`.
 */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + substitution);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, beforeLast[j - 2]! + 1);
      }
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}

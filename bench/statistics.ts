/** Statistics of many measurements. */

/** The value below which `share` (0 to 1) of all values lie. Throws a `RangeError` for no values. */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError("No values to take a percentile of");
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("No values to take a median of");
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The largest value. */
export function longest(values: readonly number[]): number {
  return percentile(values, 1);
}

/** Whether an edit may take a letter of `one` (by index) for a letter of `other`; null on one side for a missing letter. */
export type MayEdit = (one: number | null, other: number | null) => boolean;

/**
 * Optimal string alignment: letters that are missing, extra, changed, or swapped with their neighbour count one each.
 * Infinity above `max`. The libraries for it count UTF-16 units or do not count swaps.
 */
export function editDistance(
  one: readonly string[],
  other: readonly string[],
  max: number,
  mayEdit: MayEdit = () => true,
): number {
  if (Math.abs(one.length - other.length) > max) return Number.POSITIVE_INFINITY;
  const cost = (i: number | null, j: number | null) =>
    mayEdit(i, j) ? 1 : Number.POSITIVE_INFINITY;
  let beforeLast: number[] = [];
  let last = [0];
  for (let j = 0; j < other.length; j += 1) last.push((last[j] ?? 0) + cost(null, j));
  for (let i = 0; i < one.length; i += 1) {
    const row = [(last[0] ?? 0) + cost(i, null)];
    for (let j = 0; j < other.length; j += 1) {
      const isSame = one[i] === other[j];
      let least = (last[j] ?? 0) + (isSame ? 0 : cost(i, j));
      least = Math.min(least, (last[j + 1] ?? 0) + cost(i, null), (row[j] ?? 0) + cost(null, j));
      if (i > 0 && j > 0 && one[i] === other[j - 1] && one[i - 1] === other[j] && !isSame) {
        least = Math.min(
          least,
          (beforeLast[j - 1] ?? 0) + Math.max(cost(i, j), cost(i - 1, j - 1)),
        );
      }
      row.push(least);
    }
    if (Math.min(...row) > max) return Number.POSITIVE_INFINITY;
    beforeLast = last;
    last = row;
  }
  const distance = last[other.length] ?? 0;
  return distance > max ? Number.POSITIVE_INFINITY : distance;
}

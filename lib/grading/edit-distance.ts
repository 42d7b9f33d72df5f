/** Whether an edit may take a letter of `one` (by index) for a letter of `other`; null on one side for a missing letter. */
export type MayEdit = (one: number | null, other: number | null) => boolean;

/** By index; a string is enough where each letter is one UTF-16 unit. */
export type Letters = ArrayLike<string>;

export const lettersOf = (word: string): Letters =>
  /[\ud800-\udfff]/.test(word) ? [...word] : word;

/**
 * Optimal string alignment: letters that are missing, extra, changed, or swapped with their neighbour count one each.
 * Infinity above `max`. The libraries for it count UTF-16 units or do not count swaps.
 */
export function editDistance(one: Letters, other: Letters, max: number, mayEdit?: MayEdit): number {
  const [rows, columns] = [one.length, other.length];
  if (Math.abs(rows - columns) > max) return Number.POSITIVE_INFINITY;
  const cost = (i: number | null, j: number | null) =>
    !mayEdit || mayEdit(i, j) ? 1 : Number.POSITIVE_INFINITY;
  let beforeLast: number[] = [];
  let last = [0];
  for (let j = 0; j < columns; j += 1) last.push((last[j] ?? 0) + cost(null, j));
  for (let i = 0; i < rows; i += 1) {
    const row = [(last[0] ?? 0) + cost(i, null)];
    let rowLeast = row[0] ?? 0;
    for (let j = 0; j < columns; j += 1) {
      const isSame = one[i] === other[j];
      let least = (last[j] ?? 0) + (isSame ? 0 : cost(i, j));
      least = Math.min(least, (last[j + 1] ?? 0) + cost(i, null), (row[j] ?? 0) + cost(null, j));
      if (!isSame && i > 0 && j > 0 && one[i] === other[j - 1] && one[i - 1] === other[j]) {
        least = Math.min(
          least,
          (beforeLast[j - 1] ?? 0) + Math.max(cost(i, j), cost(i - 1, j - 1)),
        );
      }
      row.push(least);
      rowLeast = Math.min(rowLeast, least);
    }
    if (rowLeast > max) return Number.POSITIVE_INFINITY;
    beforeLast = last;
    last = row;
  }
  const distance = last[columns] ?? 0;
  return distance > max ? Number.POSITIVE_INFINITY : distance;
}

/** The letters between those that both words begin and end with. Their distance is that of the words. */
export function differingLetters(one: string, other: string): [string, string] {
  const shortest = Math.min(one.length, other.length);
  let start = 0;
  while (start < shortest && one[start] === other[start]) start += 1;
  let end = 0;
  while (end < shortest - start && one.at(-1 - end) === other.at(-1 - end)) end += 1;
  return [one.slice(start, one.length - end), other.slice(start, other.length - end)];
}

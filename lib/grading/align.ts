/** A pair of indices; null on one side for what only the other has. */
export type Pair = [one: number | null, other: number | null];

const gapCost = 10;
/** Beyond it, what lies between the shared beginning and end is paired by position. */
const cellsMax = 400_000;

/** The cheapest alignment of two sequences. `changeCost` is 0 for equal items and at most 20, the cost of one missing and one extra. */
export function align(
  oneLength: number,
  otherLength: number,
  changeCost: (one: number, other: number) => number,
): { pairs: Pair[]; cost: number } {
  let shared = 0;
  const shortest = Math.min(oneLength, otherLength);
  while (shared < shortest && changeCost(shared, shared) === 0) shared += 1;
  let sharedEnd = 0;
  while (
    sharedEnd < shortest - shared &&
    changeCost(oneLength - 1 - sharedEnd, otherLength - 1 - sharedEnd) === 0
  ) {
    sharedEnd += 1;
  }
  const rows = oneLength - shared - sharedEnd;
  const columns = otherLength - shared - sharedEnd;
  const middle =
    rows * columns > cellsMax
      ? alignByPosition(rows, columns)
      : alignCells(rows, columns, (i, j) => changeCost(shared + i, shared + j));
  const shift = ([i, j]: Pair): Pair => [
    i === null ? null : i + shared,
    j === null ? null : j + shared,
  ];
  const both = (length: number, i: number, j: number) =>
    Array.from({ length }, (_, at): Pair => [i + at, j + at]);
  return {
    cost: middle.cost,
    pairs: [
      ...both(shared, 0, 0),
      ...middle.pairs.map(shift),
      ...both(sharedEnd, shared + rows, shared + columns),
    ],
  };
}

function alignCells(rows: number, columns: number, changeCost: (i: number, j: number) => number) {
  const width = columns + 1;
  const costs = new Int32Array((rows + 1) * width);
  for (let j = 1; j <= columns; j += 1) costs[j] = j * gapCost;
  for (let i = 1; i <= rows; i += 1) {
    costs[i * width] = i * gapCost;
    for (let j = 1; j <= columns; j += 1) {
      const at = i * width + j;
      const change = (costs[at - width - 1] ?? 0) + changeCost(i - 1, j - 1);
      costs[at] = Math.min(
        change,
        (costs[at - width] ?? 0) + gapCost,
        (costs[at - 1] ?? 0) + gapCost,
      );
    }
  }
  const pairs: Pair[] = [];
  let [i, j] = [rows, columns];
  while (i > 0 || j > 0) {
    const at = i * width + j;
    const cost = costs[at] ?? 0;
    if (i > 0 && j > 0 && cost === (costs[at - width - 1] ?? 0) + changeCost(i - 1, j - 1)) {
      pairs.push([--i, --j]);
    } else if (i > 0 && cost === (costs[at - width] ?? 0) + gapCost) pairs.push([--i, null]);
    else pairs.push([null, --j]);
  }
  return { pairs: pairs.reverse(), cost: costs[rows * width + columns] ?? 0 };
}

function alignByPosition(rows: number, columns: number) {
  const pairs = Array.from(
    { length: Math.max(rows, columns) },
    (_, at): Pair => [at < rows ? at : null, at < columns ? at : null],
  );
  return { pairs, cost: Math.max(rows, columns) * 2 * gapCost };
}

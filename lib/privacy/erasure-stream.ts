import { roundTrip } from "../redis/client.js";
import type { RoundTrip } from "../redis/round-trip.js";

export interface Erasure {
  userId: string;
  erasedAtMs: number;
}

/**
 * A copy of the receipts outside the database, to repeat the erasures after a restore. `read` rejects when the copy
 * cannot be read or may be incomplete.
 */
export interface ErasureCopy {
  name: string;
  read(): AsyncIterable<Erasure>;
}

const key = "erasures";
/** Longer than any backup is kept. */
export const keptDays = 40;
const dayMs = 86_400_000;
const entriesPerPage = 1000;

/** Also removes entries over 40 days old. It does not make a lost stream complete. */
export async function appendErasures(
  trip: RoundTrip,
  erased: readonly Erasure[],
  now: Date,
): Promise<void> {
  const oldestMs = String(now.getTime() - keptDays * dayMs);
  await Promise.all(
    erased.map(({ userId, erasedAtMs }) =>
      trip.command("XADD", key, "MINID", oldestMs, "*", "user", userId, "at", String(erasedAtMs)),
    ),
  );
}

/** Only after the stream has every receipt of the last 40 days. Repeated each day, before the mark is that old itself. */
export async function markComplete(trip: RoundTrip): Promise<void> {
  await trip.command("XADD", key, "*", "complete", "1");
}

interface StoredErasures {
  /** Oldest first, each account once. */
  erasures: Erasure[];
  /** Without a mark Redis has lost the stream, or a part of it. */
  isComplete: boolean;
  isMarkDue: boolean;
}

/** Rejects without Redis. */
export async function readStream(now: Date): Promise<StoredErasures> {
  const known = new Map<string, Erasure>();
  let markedMs = Number.NEGATIVE_INFINITY;
  for (let after = "-"; ; ) {
    const page = await readPage(after);
    for (const [id, fields] of page) {
      const entry = erasureIn(fields);
      if (entry) known.set(entry.userId, entry);
      if (fields[0] === "complete") markedMs = Number.parseInt(id, 10);
    }
    if (page.length < entriesPerPage) break;
    after = `(${page.at(-1)?.[0]}`;
  }
  return {
    erasures: [...known.values()],
    isComplete: markedMs > Number.NEGATIVE_INFINITY,
    isMarkDue: now.getTime() - markedMs > dayMs,
  };
}

export const streamCopy: ErasureCopy = {
  name: "the stream in Redis",
  async *read() {
    const { erasures, isComplete } = await readStream(new Date());
    if (!isComplete) throw new Error("The stream of erasures has no mark: Redis has lost it.");
    yield* erasures;
  },
};

type StoredEntry = [id: string, fields: string[]];

async function readPage(from: string): Promise<StoredEntry[]> {
  const trip = roundTrip();
  const [page] = await Promise.all([
    trip.command<StoredEntry[]>("XRANGE", key, from, "+", "COUNT", String(entriesPerPage)),
    trip.send(),
  ]);
  return page;
}

/** The newest ones. Rejects without Redis. */
export async function newestErasures(count: number): Promise<Erasure[]> {
  const trip = roundTrip();
  const [page] = await Promise.all([
    trip.command<StoredEntry[]>("XREVRANGE", key, "+", "-", "COUNT", String(count)),
    trip.send(),
  ]);
  return page.flatMap(([, fields]) => erasureIn(fields) ?? []);
}

function erasureIn(fields: string[]): Erasure | null {
  const values = new Map<string, string>();
  for (let at = 0; at + 1 < fields.length; at += 2) {
    values.set(fields[at] ?? "", fields[at + 1] ?? "");
  }
  const userId = values.get("user");
  return userId ? { userId, erasedAtMs: Number(values.get("at")) } : null;
}

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
const entriesPerPage = 1000;

/** Also removes entries over 40 days old, except the newest one: an existing stream was never lost. */
export async function appendErasures(
  trip: RoundTrip,
  erased: readonly Erasure[],
  now: Date,
): Promise<void> {
  const oldestMs = String(now.getTime() - keptDays * 86_400_000);
  await Promise.all(
    erased.map(({ userId, erasedAtMs }) =>
      trip.command("XADD", key, "MINID", oldestMs, "*", "user", userId, "at", String(erasedAtMs)),
    ),
  );
}

/** Marks a new stream as complete from now on, after `appendErasures` of the receipts. */
export async function startStream(trip: RoundTrip): Promise<void> {
  await trip.command("XADD", key, "*", "start", "1");
}

export const streamCopy: ErasureCopy = {
  name: "the stream in Redis",
  async *read() {
    let after = "-";
    let isStarted = false;
    while (true) {
      const page = await readPage(after);
      for (const [, fields] of page) {
        isStarted = true;
        const entry = erasureIn(fields);
        if (entry) yield entry;
      }
      if (page.length < entriesPerPage) break;
      after = `(${page.at(-1)?.[0]}`;
    }
    if (!isStarted) throw new Error("The stream of erasures is empty: Redis has lost it.");
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

import { roundTrip } from "../redis/client.js";
import { script } from "../redis/round-trip.js";
import type { Row } from "./batch.js";
import type { Mode } from "./mode.js";

const keys = {
  stream: "events",
  bytes: "events:bytes",
  gate: "gate",
  drain: "events:drain",
} as const;

export interface Entry {
  /** The process, and the sequence number of the batch in it, from 1. */
  instance: string;
  seq: number;
  release: string;
  events: number;
  counters: Record<string, Record<string, number>>;
  rows: Row[];
  /** Default 0. */
  mode?: Mode;
}

export interface StoredEntry {
  /** Assigned by Redis: `<ms>-<number>`. */
  id: string;
  text: string;
}

const overheadBytes = 64;

/** Resolves to the bytes in the stream, 0 if unknown. Rejects unless Redis confirmed the entry. */
export async function appendEntry(entry: Entry): Promise<number> {
  const text = JSON.stringify(entry);
  const trip = roundTrip();
  const [added, bytes] = await Promise.allSettled([
    trip.command<string>("XADD", keys.stream, "*", "b", text),
    trip.command<number>("INCRBY", keys.bytes, String(sizeOf(text))),
    trip.send(),
  ]);
  if (added.status === "rejected") throw added.reason;
  return bytes.status === "fulfilled" ? Number(bytes.value) : 0;
}

export async function streamBytes(): Promise<number> {
  const trip = roundTrip();
  const [bytes] = await Promise.all([trip.command<string | null>("GET", keys.bytes), trip.send()]);
  return Number(bytes ?? 0);
}

export async function measureStream(): Promise<{ length: number; bytes: number }> {
  const trip = roundTrip();
  const [length, bytes] = await Promise.all([
    trip.command<number>("XLEN", keys.stream),
    trip.command<string | null>("GET", keys.bytes),
    trip.send(),
  ]);
  return { length: Number(length), bytes: Number(bytes ?? 0) };
}

export async function readEntries(cursor: string, max: number): Promise<StoredEntry[]> {
  const trip = roundTrip();
  const [found] = await Promise.all([
    trip.command<[string, string[]][]>(
      "XRANGE",
      keys.stream,
      idAfter(cursor),
      "+",
      "COUNT",
      String(max),
    ),
    trip.send(),
  ]);
  return found.map(([id, [, text = ""]]) => ({ id, text }));
}

/** Delete entries up to `cursor`; store the drain's time, if given. Repeated, the byte count is too low until the stream is empty. */
export async function trimEntries(
  cursor: string,
  bytes: number,
  drainedAtMs: number | null,
): Promise<void> {
  const trip = roundTrip();
  const args = [idAfter(cursor), bytes, drainedAtMs ?? ""];
  const all = [keys.stream, keys.bytes, keys.gate];
  await Promise.all([trip.script(trim, all, args), trip.send()]);
}

const trim = script(`
redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1])
if redis.call('XLEN', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[2])
elseif tonumber(ARGV[2]) > 0 and redis.call('DECRBY', KEYS[2], ARGV[2]) < 0 then
  redis.call('SET', KEYS[2], 0)
end
if ARGV[3] ~= '' then redis.call('HSET', KEYS[3], 'lastDrain', ARGV[3]) end
return 1`);

/** True for one process in each period of `periodMs`. */
export async function claimDrain(periodMs: number): Promise<boolean> {
  const trip = roundTrip();
  const [reply] = await Promise.all([
    trip.command<string | null>("SET", keys.drain, "1", "NX", "PX", String(periodMs)),
    trip.send(),
  ]);
  return reply === "OK";
}

/** Bytes in the stream, with an estimated overhead. */
export const sizeOf = (text: string) => Buffer.byteLength(text) + overheadBytes;

/** When Redis added the entry, in ms by its clock. */
export const addedAtMs = (id: string) => Number(id.split("-")[0]);

function idAfter(id: string): string {
  const [ms = "0", number = "0"] = id.split("-");
  return `${ms}-${Number(number) + 1}`;
}

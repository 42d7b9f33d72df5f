import type { RedisDatabase } from "js-redis-server/core";

export type RedisEntry = ReturnType<RedisDatabase["entriesSnapshot"]>[number];

/** JSON, because the format of `v8.serialize` differs between Node.js and Bun. */
export function encodeSnapshot(contents: unknown): string {
  return JSON.stringify(plain(contents));
}

export function decodeSnapshot(json: string): unknown {
  return JSON.parse(json, (_key, value: unknown) => revived(value));
}

function plain(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return plainBytes(value);
  if (typeof value === "bigint") return { $bigint: String(value) };
  if (typeof value === "number" && !Number.isFinite(value)) return { $number: String(value) };
  if (value instanceof Map) return { $map: plain([...value]) };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
}

function plainBytes(bytes: Buffer): unknown {
  const text = bytes.toString("utf8");
  return Buffer.from(text).equals(bytes) ? { $text: text } : { $base64: bytes.toString("base64") };
}

// JSON.parse revives from the inside out.
function revived(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const tagged = value as Record<string, string> & { $map?: [string, unknown][] };
  if (tagged.$text !== undefined) return Buffer.from(tagged.$text);
  if (tagged.$base64 !== undefined) return Buffer.from(tagged.$base64, "base64");
  if (tagged.$bigint !== undefined) return BigInt(tagged.$bigint);
  if (tagged.$number !== undefined) return Number(tagged.$number);
  return tagged.$map === undefined ? value : new Map(tagged.$map);
}

import { Ratelimit } from "@upstash/ratelimit";
import type { RoundTrip } from "../redis/round-trip.js";
import type { Limit, LimitKind } from "./policies.js";

/** The values that a request is counted by. */
export type Subject = Partial<Record<LimitKind, string>>;

/** One counter that this request has been counted in. */
export interface Count {
  limit: Limit;
  value: string;
  allowed: boolean;
  remaining: number;
  /** When the window ends, in ms since the epoch. */
  resetsAtMs: number;
}

/** What a request was counted in, and where: whatever is given back goes back there. */
export interface Reservation {
  counts: Count[];
  countedIn: "redis" | "postgres";
}

/**
 * Count a request in every limit that applies to it, within `trip`. Rejects when Redis cannot answer:
 * the caller then decides by each limit's `whenRedisFails`.
 */
export function countRequest(trip: RoundTrip, limits: Limit[], subject: Subject): Promise<Count[]> {
  return Promise.all(
    applying(limits, subject).map(async ({ limit, value }): Promise<Count> => {
      const result = await limiter(trip, limit).limit(identifier(limit, value));
      return {
        limit,
        value,
        allowed: result.success,
        remaining: result.remaining,
        resetsAtMs: result.reset,
      };
    }),
  );
}

/** Give back what was counted: the attempt succeeded, or another limit refused it. */
export async function refund(trip: RoundTrip, counts: Count[]): Promise<void> {
  await Promise.all(
    counts.map(({ limit, value }) =>
      limiter(trip, limit).limit(identifier(limit, value), { rate: -1 }),
    ),
  );
}

/** The limits that count this request, each with the value it counts by. */
export function applying(limits: Limit[], subject: Subject): { limit: Limit; value: string }[] {
  return limits.flatMap((limit) => {
    const value = subject[limit.kind];
    return value === undefined ? [] : [{ limit, value }];
  });
}

/** `rate:<policy>:<kind>:<value>:<window>`, as `redis-cli KEYS rate:*` shows it. */
export function counterKey(limit: Limit, value: string, window: number): string {
  return `rate:${limit.policy}:${identifier(limit, value)}:${window}`;
}

const identifier = (limit: Limit, value: string) => `${limit.kind}:${value}`;

function limiter(trip: RoundTrip, limit: Limit): Ratelimit {
  return new Ratelimit({
    // The limiter only evaluates its script, which a round trip does within the request's pipeline.
    redis: trip as unknown as ConstructorParameters<typeof Ratelimit>[0]["redis"],
    limiter: fixedWindow(limit.max, limit.windowMs),
    prefix: `rate:${limit.policy}`,
    // A cache would go on blocking after `DEL rate:<key>`; the timeout would let everybody pass.
    ephemeralCache: false,
    timeout: 0,
    analytics: false,
  });
}

const windows = new Map<string, ReturnType<typeof Ratelimit.fixedWindow>>();

function fixedWindow(max: number, windowMs: number) {
  const name = `${max}/${windowMs}`;
  const known = windows.get(name) ?? Ratelimit.fixedWindow(max, `${windowMs} ms`);
  windows.set(name, known);
  return known;
}

import { MomentMs } from "../moments.js";
import { redis } from "./client.js";
import type { RoundTrip } from "./round-trip.js";

/** The hash `gate` holds what every request asks for besides what it is counted by. */
const key = "gate";

/** Each field as Redis holds it, in the order in which they are asked for. */
const fields = ["revokeAllBefore", "flags", "breaker:toolkit", "lastDrain"] as const;
export type GateField = (typeof fields)[number];

export interface Gate {
  /** The moment before which every session has ended, in ms; null when Redis has lost it. */
  revokeAllBefore: number | null;
  /** The mirror of the flags; null when Redis has lost it. */
  flags: string | null;
  /** The state of the toolkit's circuit breaker; null while it is closed and nothing has failed. */
  toolkitBreaker: string | null;
  /** When events were last drained, in ms; 0 when nobody has. */
  lastDrainMs: number;
}

/** Ask for the gate within `trip`: one command. Rejects when Redis cannot answer. */
export async function readGate(trip: RoundTrip): Promise<Gate> {
  const [revokeAllBefore, flags, toolkitBreaker, lastDrain] = await trip.hashFields(key, ...fields);
  return {
    revokeAllBefore: momentMs(revokeAllBefore),
    flags: flags ?? null,
    toolkitBreaker: toolkitBreaker ?? null,
    lastDrainMs: momentMs(lastDrain) ?? 0,
  };
}

export async function writeGate(
  field: GateField,
  value: string | number,
  asking?: Parameters<typeof redis>[0],
): Promise<void> {
  await redis(asking).hset(key, { [field]: value });
}

/** Written by hand, too: only what is a moment may reach the sessions and Postgres. */
function momentMs(value: string | null | undefined): number | null {
  const { data: ms } = MomentMs.safeParse(Number(value ?? Number.NaN));
  return ms ?? null;
}

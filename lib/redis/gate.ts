import type { Redis } from "@upstash/redis";
import { log } from "../observability/logger.js";
import type { RoundTrip } from "./round-trip.js";

/**
 * The hash `gate` says that this Redis holds what it should: only while it is there does a missing
 * session key mean anything. Its `generation` changes whenever the keys may have been lost.
 */
const key = "gate";

/** The generation, or null when Redis has lost its data (or never had any). Rejects when it is away. */
export async function readGeneration(trip: RoundTrip): Promise<string | null> {
  const [generation] = await trip.hashFields(key, "generation");
  return generation ?? null;
}

/** A generation for a gate that is opened now. */
export const newGeneration = (now: Date) => String(now.getTime());

/**
 * Open the gate of an empty Redis under a new generation, which makes each live session write its key
 * back at its next request. Of several callers one wins; repeating it changes nothing.
 */
export async function openGate(redis: Redis, generation: string): Promise<void> {
  const opened = await redis.hsetnx(key, "generation", generation);
  if (opened === 1) {
    log("NOTICE", { evt: "redis_gate_opened", cat: "redis" }, "Redis was empty; sessions return");
  }
}

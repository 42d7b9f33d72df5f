import { randomBytes } from "node:crypto";
import type { Context } from "../context.js";
import { env } from "../env.js";
import { batchDropped } from "../observability/log-lines/telemetry.js";
import { outlivesRequests } from "../platform/installed.js";
import type { RequestMetrics } from "../request-metrics.js";
import { requestsInFlight } from "../requests-in-flight.js";
import { addEvent, type Batch, emptyBatch, sampled } from "./batch.js";
import { countLateEvents, countLostBatches, seriesOf } from "./counters.js";
import { type Mode, modeOf } from "./mode.js";
import type { RequestEvent } from "./request-event.js";
import { appendEntry, type Entry, streamBytes } from "./stream.js";

interface OpenBatch extends Batch {
  sent: Promise<void>;
  close(): void;
}

interface Producer {
  instance: string;
  seq: number;
  open: OpenBatch | undefined;
  /** Dropped batches that no sent batch has reported yet. */
  lost: number;
  streamBytes: number;
  /** Time of the last drain, as last read from Redis; 0 when unknown. */
  lastDrainMs: number;
  rowsSampled: number;
}

const batchWindowMs = 250;
const eventsMax = 100;
const slot = Symbol.for("linguamate.events");
const shared = globalThis as { [slot]?: Producer };

/**
 * Add the event of a finished request. Resolves when its batch was sent or dropped: after 250 ms or 100 events, or at
 * once when no request is in flight and the process may be frozen. Never rejects.
 */
export function recordRequestEvent({ gate }: Context, event: RequestEvent): Promise<void> {
  const state = producer();
  if (gate) state.lastDrainMs = Math.max(state.lastDrainMs, gate.lastDrainMs);
  const batch = openBatch(state);
  addEvent(batch, event);
  return sentInTime(batch);
}

/** The same for calls and security events after the request's event: counted, without a row. */
export function recordLateEvents(
  events: Pick<RequestMetrics, "externalCalls" | "securityEvents">,
): Promise<void> {
  const state = producer();
  const batch = openBatch(state);
  countLateEvents(batch.counters, Date.now(), events);
  return sentInTime(batch);
}

function sentInTime(batch: OpenBatch): Promise<void> {
  const mayBeFrozen = requestsInFlight() === 0 && !outlivesRequests();
  if (mayBeFrozen || batch.events >= eventsMax) batch.close();
  return batch.sent;
}

/** As last read from Redis; 0 when unknown. */
export const knownStreamBytes = () => producer().streamBytes;

function openBatch(state: Producer): OpenBatch {
  if (state.open) return state.open;
  let finish: () => void = () => {};
  const sent = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const batch: OpenBatch = Object.assign(emptyBatch(), {
    sent,
    close() {
      clearTimeout(timer);
      if (state.open === batch) state.open = undefined;
      void send(state, batch).then(finish);
    },
  });
  const timer = setTimeout(() => batch.close(), batchWindowMs);
  state.open = batch;
  return batch;
}

/** Never rejects. A dropped batch leaves a gap in the sequence numbers, and the next batch counts it. */
async function send(state: Producer, batch: Batch): Promise<void> {
  const { telemetry, release } = env();
  const lost = state.lost;
  state.lost = 0;
  if (lost > 0) countLostBatches(batch.counters, Date.now(), lost);
  const mode = modeNow(state, telemetry.streamBytesMax);
  const entry: Entry = {
    instance: state.instance,
    seq: ++state.seq,
    release: release.sha,
    events: batch.events,
    counters: seriesOf(batch.counters),
    rows: rowsFor(state, batch, mode),
    ...(mode > 0 && { mode }),
  };
  try {
    await requireRoom(state, telemetry.streamBytesMax);
    state.streamBytes = await appendEntry(entry);
  } catch (error) {
    state.lost += lost + 1;
    batchDropped(batch.events, error);
  }
}

/** A full stream is measured again before each batch, to notice when it was drained. */
async function requireRoom(state: Producer, streamBytesMax: number): Promise<void> {
  if (state.streamBytes < streamBytesMax) return;
  state.streamBytes = await streamBytes();
  if (state.streamBytes >= streamBytesMax) throw new Error("The event stream is full.");
}

function modeNow({ streamBytes: bytes, lastDrainMs }: Producer, streamBytesMax: number): Mode {
  const lagMs = lastDrainMs === 0 ? 0 : Date.now() - lastDrainMs;
  return modeOf(bytes, streamBytesMax, lagMs);
}

function rowsFor(state: Producer, { rows }: Batch, mode: Mode) {
  if (mode === 0) return rows;
  return mode === 2 ? [] : sampled(rows, () => state.rowsSampled++ % 10 === 0);
}

/** On globalThis: each bundle has its own module scope, but a self-hosted process has one producer. */
function producer(): Producer {
  shared[slot] ??= {
    instance: `${Date.now().toString(36)}-${randomBytes(9).toString("base64url")}`,
    seq: 0,
    open: undefined,
    lost: 0,
    streamBytes: 0,
    lastDrainMs: 0,
    rowsSampled: 0,
  };
  return shared[slot];
}

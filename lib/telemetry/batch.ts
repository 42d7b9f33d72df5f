import { isServerError } from "../errors.js";
import { type Counters, countEvent } from "./counters.js";
import type { RequestEvent } from "./request-event.js";

/** An access log row with short keys and without empty values, to save space in the stream. */
export interface Row {
  at: number;
  /** How many requests the row stands for; `ms` is their mean. */
  n: number;
  id?: string | undefined;
  route: string;
  method: string;
  status: number;
  code?: string | undefined;
  ms: number;
  user?: string | undefined;
  ip?: string | undefined;
  /** Used and maximum per policy: `12/100`. */
  limits?: Record<string, string> | undefined;
  calls?: [service: string, operation: string, outcome: string, ms: number][] | undefined;
  token?: string | undefined;
  security?: string[] | undefined;
  app?: string | undefined;
  /** Set when sampling left out similar rows: the row stands for this many rows. */
  oneIn?: number | undefined;
}

export interface Batch {
  events: number;
  counters: Counters;
  rows: Row[];
  kinds: Map<string, { seen: number; rest?: Row }>;
}

const equalRowsMax = 10;
/** Polled many times a second: their requests always share a row. */
const probes = new Set(["/api/livez", "/api/health", "/api/metrics"]);

export function emptyBatch(): Batch {
  return { events: 0, counters: new Map(), rows: [], kinds: new Map() };
}

/** Count an event and add its row. Probes, and from the 11th on events with equal route, status, code and IP prefix, share a row. */
export function addEvent(batch: Batch, event: RequestEvent): void {
  batch.events++;
  countEvent(batch.counters, event);
  const { route, status, code, ipPrefix } = event;
  const name = `${route} ${status} ${code} ${ipPrefix}`;
  const kind = batch.kinds.get(name) ?? { seen: 0 };
  if (kind.rest) {
    mergeInto(kind.rest, event);
    return;
  }
  const row = rowOf(event);
  batch.rows.push(row);
  kind.seen++;
  if (kind.seen > equalRowsMax || probes.has(route)) kind.rest = row;
  batch.kinds.set(name, kind);
}

/** Keeps the rows for which `isNext` is true, as one in ten, and all rows with server errors or security events. */
export function sampled(rows: Row[], isNext: () => boolean): Row[] {
  return rows.flatMap((row) => {
    if (isServerError(row.status, row.code) || row.security) return [row];
    return isNext() ? [{ ...row, oneIn: 10 }] : [];
  });
}

function rowOf(event: RequestEvent): Row {
  const { limits, externalCalls, securityEvents, ipPrefix } = event;
  return {
    at: event.atMs,
    n: 1,
    id: event.correlationId,
    route: event.route,
    method: event.method,
    status: event.status,
    code: event.code,
    ms: tenths(event.durationMs),
    user: event.userHash,
    ip: ipPrefix ?? undefined,
    limits:
      limits.length === 0
        ? undefined
        : Object.fromEntries(limits.map(({ policy, used, max }) => [policy, `${used}/${max}`])),
    calls:
      externalCalls.length === 0
        ? undefined
        : externalCalls.map((call) => [
            call.service,
            call.operation,
            call.outcome,
            tenths(call.durationMs),
          ]),
    token: event.tokenFailure,
    security: securityEvents.length === 0 ? undefined : [...new Set(securityEvents)],
    app: event.appVersion,
  };
}

function mergeInto(rest: Row, event: RequestEvent): void {
  rest.ms = tenths((rest.ms * rest.n + event.durationMs) / (rest.n + 1));
  rest.n++;
  rest.at = event.atMs;
  rest.id = undefined;
  rest.limits = undefined;
  rest.calls = undefined;
  if (rest.method !== event.method) rest.method = "other";
  if (rest.user !== event.userHash) rest.user = undefined;
  if (rest.token !== event.tokenFailure) rest.token = undefined;
  if (rest.app !== event.appVersion) rest.app = undefined;
  if (event.securityEvents.length > 0) {
    rest.security = [...new Set([...(rest.security ?? []), ...event.securityEvents])];
  }
}

const tenths = (ms: number) => Math.round(ms * 10) / 10;

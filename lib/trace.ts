import { createHash, randomBytes } from "node:crypto";

export interface Span {
  id: string;
  op: "db" | "db.redis" | "http.client";
  /** Without parameter values. */
  description: string;
  startedAtMs: number;
  endedAtMs: number;
  isOk: boolean;
}

/** Spans are recorded only when the trace is sampled. */
export interface Trace {
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  isSampled: boolean;
  /** In ms; spans are measured from it with a monotonic clock. */
  startedAtMs: number;
  readonly clockAtStart: number;
  spans: Span[];
}

/** Bounds the memory of a long request. */
const spansMax = 500;

/** Samples the share `rate` of trace IDs, and what the caller asks for if `mayForceSampling()`; never what it declines, and nothing at 0. */
export function startTrace(headers: Headers, rate: number, mayForceSampling: () => boolean): Trace {
  const parent = parentOf(headers);
  const traceId = parent?.traceId ?? randomBytes(16).toString("hex");
  return {
    traceId,
    spanId: newSpanId(),
    parentSpanId: parent?.spanId,
    isSampled: rate > 0 && decideSampling(traceId, parent?.isSampled, rate, mayForceSampling),
    startedAtMs: Date.now(),
    clockAtStart: performance.now(),
    spans: [],
  };
}

/** Deterministic: the same trace ID gives the same answer in every process. */
export function isInSample(traceId: string, rate: number): boolean {
  const hash = createHash("sha256").update(traceId).digest().readUInt32BE(0);
  return hash / 2 ** 32 < rate;
}

export function withSpan<T>(
  trace: Trace | undefined,
  op: Span["op"],
  describe: () => string,
  work: () => Promise<T>,
  isOk: (result: T) => boolean = () => true,
): Promise<T> {
  if (!trace?.isSampled || trace.spans.length >= spansMax) return work();
  const span: Span = {
    id: newSpanId(),
    op,
    description: describe(),
    startedAtMs: traceNowMs(trace),
    endedAtMs: 0,
    isOk: false,
  };
  trace.spans.push(span);
  return runMeasured(trace, span, work, isOk);
}

export function traceHeaders(trace: Trace | undefined): Record<string, string> {
  if (!trace) return {};
  const { traceId, spanId, isSampled } = trace;
  return {
    "sentry-trace": `${traceId}-${spanId}-${isSampled ? 1 : 0}`,
    traceparent: `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`,
  };
}

export function traceNowMs({ startedAtMs, clockAtStart }: Trace): number {
  return startedAtMs + performance.now() - clockAtStart;
}

async function runMeasured<T>(
  trace: Trace,
  span: Span,
  work: () => Promise<T>,
  isOk: (result: T) => boolean,
): Promise<T> {
  try {
    const result = await work();
    span.isOk = isOk(result);
    return result;
  } finally {
    span.endedAtMs = traceNowMs(trace);
  }
}

interface Parent {
  traceId: string;
  spanId: string;
  /** Undefined when the caller has not decided. */
  isSampled: boolean | undefined;
}

const sentryPattern = /^([\da-f]{32})-([\da-f]{16})(?:-([01]))?$/;
/** Source: w3.org/TR/trace-context. Later versions may add fields; version ff is invalid. */
const w3cPattern = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;

function parentOf(headers: Headers): Parent | undefined {
  const sentry = sentryPattern.exec(headers.get("sentry-trace") ?? "");
  if (sentry) {
    const [, traceId = "", spanId = "", decision] = sentry;
    return { traceId, spanId, isSampled: decision === undefined ? undefined : decision === "1" };
  }
  const w3c = w3cPattern.exec(headers.get("traceparent") ?? "");
  if (!w3c) return undefined;
  const [, version, traceId = "", spanId = "", flags = "", rest] = w3c;
  const isWellFormed = version === "00" ? rest === undefined : version !== "ff";
  if (!isWellFormed || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

function decideSampling(
  traceId: string,
  requested: boolean | undefined,
  rate: number,
  mayForceSampling: () => boolean,
): boolean {
  if (requested === false) return false;
  return isInSample(traceId, rate) || (requested === true && mayForceSampling());
}

function newSpanId(): string {
  return randomBytes(8).toString("hex");
}

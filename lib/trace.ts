import { createHash, randomBytes } from "node:crypto";

/** One call of something outside of this process. `op` is Sentry's word for its kind. */
export interface Span {
  id: string;
  op: "db" | "db.redis" | "http.client";
  /** What was asked, without any value. */
  description: string;
  startedAtMs: number;
  endedAtMs: number;
  isOk: boolean;
}

/** A request as a part of a trace. Its spans are kept only when it is sampled. */
export interface Trace {
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  isSampled: boolean;
  /** Ms since 1970, with fractions; spans count from it by a clock that never jumps. */
  startedAtMs: number;
  readonly clockAtStart: number;
  spans: Span[];
}

/** What lasts an hour must not fill the memory with spans. */
const spansMax = 500;

/**
 * Begin a request's part of the trace that its `sentry-trace` or `traceparent` names, or a trace of its
 * own. Sampled is what the caller has decided where `isCallerBelieved`, and else the share `rate` of all
 * trace IDs; a rate of 0 samples nothing.
 */
export function openTrace(headers: Headers, rate: number, isCallerBelieved: () => boolean): Trace {
  const parent = parentOf(headers);
  const traceId = parent?.traceId ?? randomBytes(16).toString("hex");
  return {
    traceId,
    spanId: newSpanId(),
    parentSpanId: parent?.spanId,
    isSampled: rate > 0 && decide(traceId, parent?.isSampled, rate, isCallerBelieved),
    startedAtMs: Date.now(),
    clockAtStart: performance.now(),
    spans: [],
  };
}

/** The same answer for a trace ID in every process. */
export function isInSample(traceId: string, rate: number): boolean {
  const hash = createHash("sha256").update(traceId).digest().readUInt32BE(0);
  return hash / 2 ** 32 < rate;
}

/** Do `work` as a span of a trace. Without a sampled trace this is the call alone. */
export function spanned<T>(
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
    startedAtMs: momentIn(trace),
    endedAtMs: 0,
    isOk: false,
  };
  trace.spans.push(span);
  return measured(trace, span, work, isOk);
}

/** What a call carries to a service that goes on with this trace. */
export function traceHeaders(trace: Trace | undefined): Record<string, string> {
  if (!trace) return {};
  const { traceId, spanId, isSampled } = trace;
  return {
    "sentry-trace": `${traceId}-${spanId}-${isSampled ? 1 : 0}`,
    traceparent: `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`,
  };
}

/** Now, in ms since 1970, by the trace's clock. */
export function momentIn({ startedAtMs, clockAtStart }: Trace): number {
  return startedAtMs + performance.now() - clockAtStart;
}

async function measured<T>(
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
    span.endedAtMs = momentIn(trace);
  }
}

interface Parent {
  traceId: string;
  spanId: string;
  /** Undefined where the caller leaves it to us. */
  isSampled: boolean | undefined;
}

const sentryForm = /^([\da-f]{32})-([\da-f]{16})(?:-([01]))?$/;
/** Source: w3.org/TR/trace-context. Versions after 00 may add fields, and ff is none. */
const w3cForm = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;

function parentOf(headers: Headers): Parent | undefined {
  const sentry = sentryForm.exec(headers.get("sentry-trace") ?? "");
  if (sentry) {
    const [, traceId = "", spanId = "", decision] = sentry;
    return { traceId, spanId, isSampled: decision === undefined ? undefined : decision === "1" };
  }
  const w3c = w3cForm.exec(headers.get("traceparent") ?? "");
  if (!w3c) return undefined;
  const [, version, traceId = "", spanId = "", flags = "", more] = w3c;
  const isForm = version === "00" ? more === undefined : version !== "ff";
  if (!isForm || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

function decide(
  traceId: string,
  asked: boolean | undefined,
  rate: number,
  isCallerBelieved: () => boolean,
): boolean {
  if (asked === false) return false;
  return isInSample(traceId, rate) || (asked === true && isCallerBelieved());
}

function newSpanId(): string {
  return randomBytes(8).toString("hex");
}

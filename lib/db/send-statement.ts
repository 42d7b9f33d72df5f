import { slowStatement } from "../observability/log-lines/stores.js";
import { platform } from "../platform/installed.js";
import type { NeonFetch } from "../platform/platform.js";
import { withSpan } from "../trace.js";
import type { DatabaseRequest } from "./database-request.js";

const slowMs = 250;
const descriptionMax = 1000;

/** Adds the correlation ID as an SQL comment, unless that defeats preparing; records a span, logs slow statements without values. */
export const sendStatement: NeonFetch = async (url, init) => {
  const { request, method, headers, body, signal } = init as Parameters<NeonFetch>[1] & {
    request?: DatabaseRequest;
  };
  const startedAt = performance.now();
  const { fetch, preparesByText } = request?.transport
    ? { fetch: request.transport, preparesByText: undefined }
    : platform().postgres;
  const isPrepared = preparesByText && body.startsWith(queryPrefix);
  const hasCorrelationId = request && !isPrepared;
  const sent = {
    ...{ method, headers, signal, timeoutMs: request?.timeoutMs },
    body: hasCorrelationId ? withCorrelationId(body, request) : body,
  };
  try {
    return await withSpan(
      request?.trace,
      "db",
      () => textOf(body),
      () => fetch(url, sent),
      ({ ok }) => ok,
    );
  } finally {
    const durationMs = performance.now() - startedAt;
    if (durationMs > slowMs) slowStatement(request?.correlationId, textOf(body), durationMs);
  }
};

const queryPrefix = '{"query":"';

// Inserted into the JSON text: parsing costs more, and inside a value the quotes would be escaped.
function withCorrelationId(body: string, { correlationId }: DatabaseRequest): string {
  if (!safeInComment.test(correlationId)) return body;
  const replacement = `${queryPrefix}/*correlation_id=${correlationId}*/ `;
  return body.startsWith(queryPrefix)
    ? replacement + body.slice(queryPrefix.length)
    : body.replaceAll(queryPrefix, replacement);
}

/** Cannot end an SQL comment. */
const safeInComment = /^[\w.-]+$/;

function textOf(body: string): string {
  const { query, queries } = JSON.parse(body) as {
    query?: string;
    queries?: { query: string }[];
  };
  const text = query ?? queries?.map((one) => one.query).join("; ") ?? "";
  return text.replace(/\s+/g, " ").trim().slice(0, descriptionMax);
}

import { slowStatement } from "../observability/log-lines/stores.js";
import { platform } from "../platform/installed.js";
import type { NeonFetch } from "../platform/platform.js";
import { spanned } from "../trace.js";
import type { AskingRequest } from "./asking-request.js";

/** Slower than this, a statement has a log line: half of what a whole request may take. */
const slowMs = 250;
const descriptionMax = 1000;

/**
 * Send one call to Postgres. Where a request asks (`request`, which the driver hands over from its
 * `fetchOptions`), each statement begins with a comment that names it, unless it is prepared by its text,
 * and the call is a span of its
 * trace. Statements are told of by their text alone, never with values.
 */
export const sendStatement: NeonFetch = (url, init) => {
  const { request, method, headers, body, signal } = init as Parameters<NeonFetch>[1] & {
    request?: AskingRequest;
  };
  const startedAt = performance.now();
  const isPrepared = platform().postgres.preparesByText && body.startsWith(beginning);
  const isNamed = request && !isPrepared;
  const sent = isNamed ? { method, headers, signal, body: named(body, request) } : init;
  const tellIfSlow = () => {
    const durationMs = performance.now() - startedAt;
    if (durationMs > slowMs) slowStatement(request?.correlationId, textOf(body), durationMs);
  };
  return spanned(
    request?.trace,
    "db",
    () => textOf(body),
    () => platform().postgres.fetch(url, sent),
    ({ ok }) => ok,
  ).finally(tellIfSlow);
};

const beginning = '{"query":"';

/**
 * In front, where no server cuts it off; and into the JSON as it is, for parsing it costs more. In a
 * value such a beginning would have its quotes escaped.
 */
function named(body: string, { correlationId }: AskingRequest): string {
  if (!safe.test(correlationId)) return body;
  const begun = `${beginning}/*correlation_id=${correlationId}*/ `;
  return body.startsWith(beginning)
    ? begun + body.slice(beginning.length)
    : body.replaceAll(beginning, begun);
}

/** What cannot end a comment. */
const safe = /^[\w.-]+$/;

function textOf(body: string): string {
  const { query, queries } = JSON.parse(body) as {
    query?: string;
    queries?: { query: string }[];
  };
  const text = query ?? queries?.map((one) => one.query).join("; ") ?? "";
  return text.replace(/\s+/g, " ").trim().slice(0, descriptionMax);
}

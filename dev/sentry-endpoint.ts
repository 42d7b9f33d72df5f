import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { listenLocally } from "./listen-locally.js";

/** A fault until it is removed. Envelopes still arrive only with `latency`. */
type SentryFault =
  | { kind: "latency"; ms: number }
  | { kind: "rate-limit"; retryAfterSeconds: number }
  | { kind: "error"; status: number }
  | { kind: "reset" | "hang" };

interface SentryItem {
  type: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test knows the payload that it expects
  payload: any;
}

interface SentryEnvelope {
  headers: Record<string, unknown>;
  items: SentryItem[];
  /** The raw request with its headers. */
  text: string;
}

export interface SentryEndpoint {
  dsn: string;
  /** The accepted envelopes, in order. */
  envelopes: SentryEnvelope[];
  /** `type` is `transaction`, `event` or `check_in`. */
  payloads(type: string): SentryItem["payload"][];
  /** The number of requests, including failed ones. */
  requests(): number;
  fail(fault: SentryFault | null): void;
  reset(): void;
  close(): Promise<void>;
}

const projectId = "4507";

/** Serve Sentry's envelope endpoint (develop.sentry.dev/sdk/data-model/envelopes) on a free local port. */
export async function startSentryEndpoint(publicKey: string): Promise<SentryEndpoint> {
  const envelopes: SentryEnvelope[] = [];
  let fault: SentryFault | null = null;
  let requests = 0;

  const server = createServer((request, response) => {
    requests += 1;
    serve(request, response).catch(() => response.socket?.resetAndDestroy());
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readText(request);
    const reply = (status: number, answer: object, headers = {}) =>
      response
        .writeHead(status, { "content-type": "application/json", ...headers })
        .end(JSON.stringify(answer));
    switch (fault?.kind) {
      case "hang":
        return;
      case "reset":
        response.socket?.resetAndDestroy();
        return;
      case "error":
        reply(fault.status, { detail: "internal server error" });
        return;
      case "rate-limit": {
        const seconds = fault.retryAfterSeconds;
        const limits = { "x-sentry-rate-limits": `${seconds}::organization` };
        reply(429, { detail: "rate limited" }, { "retry-after": seconds, ...limits });
        return;
      }
      case "latency":
        await sleep(fault.ms);
    }
    const url = new URL(request.url ?? "/", "http://endpoint");
    if (request.method !== "POST" || url.pathname !== `/api/${projectId}/envelope/`) {
      reply(404, { detail: "not found" });
    } else if (shownKey(request, url) !== publicKey) {
      reply(403, { detail: "bad sentry DSN public key" });
    } else {
      const envelope = parsed(body, `${request.url}\n${JSON.stringify(request.headers)}\n`);
      if (typeof envelope === "string") reply(400, { detail: envelope });
      else {
        envelopes.push(envelope);
        reply(200, { id: envelope.headers.event_id });
      }
    }
  }

  const { url, close } = await listenLocally(server);
  return {
    dsn: `${url.replace("//", `//${publicKey}@`)}/${projectId}`,
    envelopes,
    payloads: (type) =>
      envelopes.flatMap(({ items }) =>
        items.filter((item) => item.type === type).map(({ payload }) => payload),
      ),
    requests: () => requests,
    fail(next) {
      fault = next;
    },
    reset() {
      fault = null;
      requests = 0;
      envelopes.length = 0;
    },
    close,
  };
}

function shownKey({ headers }: IncomingMessage, url: URL): string | null {
  const header = String(headers["x-sentry-auth"] ?? "");
  return /\bsentry_key=([^,\s]+)/.exec(header)?.[1] ?? url.searchParams.get("sentry_key");
}

/** The envelope, or an error message. */
function parsed(body: string, head: string): SentryEnvelope | string {
  let rest = Buffer.from(body);
  const takeLine = () => {
    const end = rest.indexOf("\n");
    const line = end === -1 ? rest : rest.subarray(0, end);
    rest = end === -1 ? Buffer.alloc(0) : rest.subarray(end + 1);
    return line.toString();
  };
  try {
    const headers = JSON.parse(takeLine());
    const items: SentryItem[] = [];
    while (rest.length > 0) {
      const { type, length } = JSON.parse(takeLine());
      if (length !== undefined && rest.length < length) return "the item is cut off";
      const text = length === undefined ? takeLine() : rest.subarray(0, length).toString();
      if (length !== undefined) rest = rest.subarray(length + 1);
      const payload = JSON.parse(text);
      const problem = type === "transaction" ? problemOf(payload) : undefined;
      if (problem) return problem;
      items.push({ type, payload });
    }
    return items.length === 0 ? "the envelope is empty" : { headers, items, text: head + body };
  } catch {
    return "the envelope is not valid";
  }
}

/** The reason for which Sentry would discard a transaction. */
function problemOf({ start_timestamp, timestamp, contexts, spans = [] }: SentryItem["payload"]) {
  const isId = (id: unknown, length: number) =>
    typeof id === "string" && id.length === length && /^[\da-f]+$/.test(id);
  const { trace_id, span_id } = contexts?.trace ?? {};
  if (!isId(trace_id, 32) || !isId(span_id, 16)) return "the trace context is not valid";
  for (const one of [{ start_timestamp, timestamp }, ...spans]) {
    if (!(one.start_timestamp <= one.timestamp)) return "it ends before it starts";
  }
  for (const span of spans) {
    if (span.trace_id !== trace_id || !isId(span.span_id, 16)) return "a span is not valid";
  }
  return undefined;
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

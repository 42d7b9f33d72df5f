import { createTransport, defaultStackParser, NodeClient } from "@sentry/serverless";
import { post } from "../platform/keep-alive-http.js";
import type { RequestReport } from "./request-report.js";
import { errorOf, monitorOf, scrub, slugOf, transactionOf } from "./sentry-events.js";

/** Only this file and sentry-events.ts use Sentry's SDK. Loaded on first use, as a separate chunk. */
export interface Sentry {
  /** Queue a report; dropped in the 10 s after a failed delivery. */
  report(report: RequestReport): void;
  /** Resolves when the queue was sent or dropped, after twice `timeoutMs` at the latest. */
  flush(timeoutMs: number): Promise<void>;
}

export interface SentrySettings {
  dsn: string;
  release: string;
  environment: string;
  sampleRate: number;
  /** Called with an error code for each failed delivery. */
  onFailure(reason: string): void;
}

type Options = ConstructorParameters<typeof NodeClient>[0];

const sendMs = 2000;
const waitingMax = 256;
/** Nothing is sent for this time after a failure, since each request would wait for it. */
const restMs = 10_000;

export function openSentry(settings: SentrySettings): Sentry {
  const { dsn, release, environment, sampleRate, onFailure } = settings;
  let restsUntilMs = 0;

  const options: Options = {
    dsn,
    release,
    environment,
    serverName: "linguamate-backend",
    // No automatic instrumentation or data collection: only our reports are sent.
    integrations: [],
    autoSessionTracking: false,
    sendClientReports: false,
    sendDefaultPii: false,
    maxBreadcrumbs: 0,
    stackParser: defaultStackParser,
    transport: (given) =>
      createTransport({ ...given, bufferSize: waitingMax }, ({ body }) => {
        const text = typeof body === "string" ? body : Buffer.from(body).toString();
        return send(given.url, text);
      }),
    beforeSend: scrub,
    beforeSendTransaction: scrub,
  };
  const client = new NodeClient(options);

  async function send(url: string, body: string) {
    try {
      const { status, headers } = await post(new URL(url), {
        headers: { "content-type": "application/x-sentry-envelope" },
        body,
        timeoutMs: sendMs,
      });
      if (status >= 300) onFailure(`status_${status}`);
      if (status >= 500) restsUntilMs = performance.now() + restMs;
      return {
        statusCode: status,
        headers: {
          "x-sentry-rate-limits": firstOf(headers["x-sentry-rate-limits"]),
          "retry-after": firstOf(headers["retry-after"]),
        },
      };
    } catch (error) {
      restsUntilMs = performance.now() + restMs;
      onFailure(error instanceof Error && error.name === "TimeoutError" ? "timeout" : "network");
      throw error;
    }
  }

  const publicKey = new URL(dsn).username;
  return {
    report(report) {
      if (performance.now() < restsUntilMs) return;
      const { trace, checkIn } = report;
      if (trace.isSampled) {
        client.captureEvent({
          ...transactionOf(report),
          sdkProcessingMetadata: {
            dynamicSamplingContext: {
              trace_id: trace.traceId,
              public_key: publicKey,
              sample_rate: String(sampleRate),
              sampled: "true",
              transaction: report.route,
              release,
              environment,
            },
          },
        });
      }
      if (report.errors.length > 0) client.captureEvent(errorOf(report));
      if (checkIn) {
        const { path, isOk, durationSeconds: duration } = checkIn;
        const status = isOk ? "ok" : "error";
        client.captureCheckIn({ monitorSlug: slugOf(path), status, duration }, monitorOf(path));
      }
    },
    async flush(timeoutMs) {
      // Rejects when a delivery fails, which onFailure has been told.
      await client.flush(timeoutMs).then(undefined, () => {});
    },
  };
}

function firstOf(header: string | string[] | undefined): string | null {
  return (Array.isArray(header) ? header[0] : header) ?? null;
}

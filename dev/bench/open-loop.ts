import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { max, mean, quantileSorted } from "simple-statistics";
import type { LoadCall } from "./open-mix.js";

/** Latencies in ms, from the time at which a call was due. */
export interface Latencies {
  calls: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  maxMs: number;
}

export interface OpenLoopResult {
  /** `all`, and each kind of call. */
  latencies: Record<string, Latencies>;
  /** Unexpected statuses and connection errors, such as `read 503`. */
  errors: Record<string, number>;
  /** How late calls were sent, in ms: above a few, the sender was overloaded. */
  meanLateMs: number;
  maxLateMs: number;
}

/**
 * Send `rate` calls a second, whether or not the earlier ones were answered. A latency counts from the time at which the
 * call was due, so that a stall of the server is not hidden by calls that were not sent (coordinated omission).
 */
export async function runOpenLoop(
  url: string,
  { seconds, rate }: { seconds: number; rate: number },
  next: () => LoadCall,
): Promise<OpenLoopResult> {
  // More than the backlog of a listening socket would make clients repeat their connect after seconds.
  const agent = new http.Agent({ keepAlive: true, maxSockets: 128 });
  const times = new Map<string, number[]>();
  const errors: Record<string, number> = {};
  const late: number[] = [];
  const running = new Set<Promise<void>>();
  const count = seconds * rate;
  const startedAt = performance.now();
  for (let sent = 0; sent < count; ) {
    const dueMs = startedAt + (sent * 1000) / rate;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await sleep(Math.ceil(waitMs));
    const nowMs = performance.now();
    for (; sent < count && startedAt + (sent * 1000) / rate <= nowMs; sent += 1) {
      start(startedAt + (sent * 1000) / rate, next());
    }
  }
  await Promise.all(running);
  agent.destroy();
  const all = [...times.values()].flat();
  const latencies = Object.fromEntries(
    [["all", all] as const, ...times].map(([kind, found]) => [kind, summary(found)]),
  );
  return { latencies, errors, meanLateMs: mean(late), maxLateMs: max(late) };

  function start(dueMs: number, call: LoadCall): void {
    late.push(performance.now() - dueMs);
    const calling = send(agent, url, call).then((outcome) => {
      const found = times.get(call.kind) ?? [];
      times.set(call.kind, found);
      found.push(performance.now() - dueMs);
      if (outcome !== call.status) {
        const name = `${call.kind} ${outcome}`;
        errors[name] = (errors[name] ?? 0) + 1;
      }
      running.delete(calling);
    });
    running.add(calling);
  }
}

/** The status, or the code of the connection's error. */
function send(agent: http.Agent, url: string, call: LoadCall): Promise<number | string> {
  const { method, path, address, authorization, body, done } = call;
  const headers = {
    "x-forwarded-for": address,
    ...(authorization && { authorization }),
    ...(body && {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    }),
  };
  return new Promise((resolve) => {
    const request = http.request(url + path, { agent, method, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part) => {
        text += part;
      });
      response.on("end", () => {
        done?.(text);
        resolve(response.statusCode ?? 0);
      });
      response.on("error", fail);
    });
    const fail = (error: NodeJS.ErrnoException) => {
      done?.(null);
      resolve(error.code ?? error.name);
    };
    request.on("error", fail);
    request.end(body);
  });
}

function summary(values: number[]): Latencies {
  const sorted = values.toSorted((a, b) => a - b);
  return {
    calls: sorted.length,
    p50Ms: quantileSorted(sorted, 0.5),
    p95Ms: quantileSorted(sorted, 0.95),
    p99Ms: quantileSorted(sorted, 0.99),
    maxMs: sorted.at(-1) ?? Number.NaN,
  };
}

import http from "node:http";
import { areaUnderCurve } from "./statistics.js";

/** How well the time of an answer tells a known address from an unknown one. */
export interface Likeness {
  operation: string;
  /** 0.5: not at all; 1 or 0: always. */
  auc: number;
  /** True for what is known to tell: it shows that the measurement sees a difference where there is one. */
  isControl: boolean;
}

/** A call that is made about a subject. */
interface Call {
  url: string;
  expectedStatus: number;
  request(subject: string): { body: unknown; headers?: Record<string, string> };
}

/** A call whose answer should not tell what it was about. */
export interface Operation extends Call {
  operation: string;
  isControl: boolean;
  /** A call that comes right before it, about the same subject; its own time does not count. */
  before?: Call;
  /** What is asked about: an address, or the token of somebody who has claimed one. */
  known: readonly string[];
  unknown: readonly string[];
}

/**
 * Time `pairs` calls about known and as many about unknown subjects in one random order, so that what one
 * call leaves for after its reply disturbs both kinds alike.
 */
export async function measureLikeness(
  { operation, isControl, before, ...call }: Operation,
  pairs: number,
): Promise<Likeness> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const times = { known: [] as number[], unknown: [] as number[] };
  for (const kind of shuffled(pairs)) {
    const subjects = call[kind];
    const subject = subjects[times[kind].length % subjects.length] ?? "";
    if (before) await timed(agent, before, subject);
    times[kind].push(await timed(agent, call, subject));
  }
  agent.destroy();
  return { operation, isControl, auc: areaUnderCurve(times.known, times.unknown) };
}

function shuffled(pairs: number): ("known" | "unknown")[] {
  const order = [...Array(pairs).fill("known"), ...Array(pairs).fill("unknown")];
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}

function timed(
  agent: http.Agent,
  { url, expectedStatus, request }: Call,
  subject: string,
): Promise<number> {
  const { body, headers } = request(subject);
  const text = JSON.stringify(body);
  const options = {
    method: "POST",
    agent,
    headers: {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
      ...headers,
    },
  };
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const asked = http.request(url, options, (response) => {
      response.resume();
      response.once("end", () => {
        if (response.statusCode === expectedStatus) resolve(performance.now() - startedAt);
        else reject(new Error(`${url} answered ${response.statusCode}.`));
      });
    });
    asked.once("error", reject);
    asked.end(text);
  });
}

import type { Requester } from "@upstash/redis";
import { type Trace, withSpan } from "../trace.js";

const namesMax = 20;

/** Records a span per request; its description contains command names only. */
export function tracedRequester(requester: Requester, trace: Trace): Requester {
  return Object.assign(Object.create(requester) as Requester, {
    request: <Result>(call: Parameters<Requester["request"]>[0]) =>
      withSpan(
        trace,
        "db.redis",
        () => namesIn(call.body),
        () => requester.request<Result>(call),
      ),
  });
}

function namesIn(body: unknown): string {
  if (!Array.isArray(body)) return "";
  const commands = Array.isArray(body[0]) ? (body as unknown[][]) : [body];
  const names = commands.slice(0, namesMax).map(([name]) => String(name).toUpperCase());
  if (commands.length > namesMax) names.push("…");
  return names.join(" ");
}

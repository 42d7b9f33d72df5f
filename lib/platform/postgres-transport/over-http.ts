import { post } from "../keep-alive-http.js";
import type { NeonFetch } from "../platform.js";

/** To Neon, or to `endpoint`. Rejects on connection errors and timeouts. Never retries: a write may have completed. */
export function postgresOverHttp(options: { timeoutMs: number; endpoint?: string }): NeonFetch {
  const endpoint = options.endpoint === undefined ? undefined : new URL(options.endpoint);
  return async (url, { headers, body, signal, timeoutMs = options.timeoutMs }) => {
    const reply = await post(endpoint ?? new URL(url), {
      headers: { ...headers, "content-type": "application/json" },
      body,
      timeoutMs,
      signal,
    });
    return {
      ok: reply.status >= 200 && reply.status < 300,
      status: reply.status,
      json: async () => JSON.parse(reply.body),
      text: async () => reply.body,
    };
  };
}

import { randomUUID } from "node:crypto";

const acceptable = /^[A-Za-z0-9._-]{1,64}$/;

/** The caller's `X-Correlation-ID` when it is safe to repeat in logs and headers, else a new UUID. */
export function correlationIdOf(request: Request): string {
  const given = request.headers.get("x-correlation-id");
  return given !== null && acceptable.test(given) ? given : randomUUID();
}

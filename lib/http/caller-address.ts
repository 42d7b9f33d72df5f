import type { Env } from "../env.js";
import { canonicalAddress } from "../ip-address.js";
import { isSelfHosted } from "../platform/installed.js";

/** As the platform or our own server set it; undefined without either or if invalid. IPv4-mapped becomes IPv4. */
export function callerAddress(request: Request, env: Env): string | undefined {
  if (!env.http.onVercel && !isSelfHosted()) return undefined;
  const { headers } = request;
  const stated = headers.get("x-vercel-forwarded-for") ?? headers.get("x-real-ip") ?? "";
  const [first = ""] = stated.split(",");
  return canonicalAddress(first.trim());
}

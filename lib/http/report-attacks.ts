import { securityEvent } from "../audit/security-events.js";
import type { Context } from "../context.js";
import type { AppError } from "../errors.js";
import { attacksIn } from "../observability/attack-patterns.js";
import { isOriginRefused } from "./cors.js";
import type { Exchange } from "./exchange.js";

/** Security events for a URL that looks like an attack and for an origin that CORS refuses. */
export function reportUrlAttack({ request, url, ctx }: Exchange): void {
  reportAttacks(ctx, decoded(`${url.pathname} ${url.search.replaceAll("+", " ")}`), "url");
  const isPreflight = request.method === "OPTIONS";
  if (!isPreflight && isOriginRefused(request, url, ctx.env)) securityEvent(ctx, "cors_rejected");
}

/** Without passwords, which are never inspected. */
const authFields = ["email", "name", "code", "otp", "token", "refreshToken"] as const;

/** Only for sign-in and other auth routes: other bodies are a learner's own text. */
export function reportBodyAttack(ctx: Context, body: unknown): void {
  const isAuth = ctx.route.startsWith("/api/auth/") || ctx.route.startsWith("/api/ops/sign-ins");
  if (!isAuth || typeof body !== "object" || body === null) return;
  for (const field of authFields) {
    const text = (body as Record<string, unknown>)[field];
    if (typeof text === "string") reportAttacks(ctx, text, field);
  }
}

/** Report a refusal that is a security event. `reauth_required` and refusals for the state of the account are not. */
export function reportRefusal(ctx: Context, { code }: AppError): void {
  if (code === "host_not_allowed") securityEvent(ctx, "host_rejected");
  if (code === "address_blocked" || code === "account_blocked") {
    securityEvent(ctx, "ip_blocked", { data: { code } });
  } else if (code === "forbidden") securityEvent(ctx, "authz_denied", { data: { code } });
}

function reportAttacks(ctx: Context, text: string, reason: string): void {
  for (const event of attacksIn(text)) securityEvent(ctx, event, { data: { reason } });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

import * as z from "zod";
import type { Context } from "../context.js";
import { violatesUnique } from "../db/failures.js";
import { webhookEvents } from "../db/schema/webhooks.js";
import { deliveredTo, suppress } from "../mail/suppression.js";
import { addressSuppressed, suppressionLifted } from "../observability/log-lines/mail.js";
import { canonicalEmail } from "./email-address.js";

const to = z
  .array(z.string().max(512))
  .max(50)
  .meta({ examples: [["gone@example.com"]] });

/** When it happened, by the provider's clock. */
const createdAt = z
  .string()
  .max(64)
  .meta({ examples: ["2026-01-31T08:00:00.000Z"] });

/** Source: resend.com/docs/webhooks/event-types. */
export const MailFeedback = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("email.bounced"),
    created_at: createdAt.optional(),
    // Temporary bounces, such as a full mailbox, are ignored.
    data: z.object({ to, bounce: z.object({ type: z.literal("Permanent") }) }),
  }),
  z.object({
    type: z.literal("email.complained"),
    created_at: createdAt.optional(),
    data: z.object({ to }),
  }),
  z.object({
    type: z.literal("email.delivered"),
    created_at: createdAt,
    // With several recipients the event does not say which of them it is about.
    data: z.object({ to: to.max(1) }),
  }),
]);

/**
 * Suppress addresses that bounced or complained, and mark their accounts. A later delivery lifts a bounce: the mailbox is
 * there. It does not lift a complaint, which says that the recipient does not want the mail, not that it cannot arrive.
 * Ignores other events; redelivery is harmless.
 */
export async function handleMailFeedback(
  ctx: Context,
  { id, event }: { id: string; event: unknown },
): Promise<void> {
  const { data: feedback } = MailFeedback.safeParse(event);
  if (!feedback) return;
  const canonical = feedback.data.to.map(canonicalEmail).filter((email) => email !== null);
  const [email, ...others] = new Set(canonical);
  if (email === undefined) return;
  const at = eventTime(feedback.created_at, ctx.now);
  if (feedback.type === "email.delivered") {
    if (!at) return;
    const [, lifted] = await ctx.db.batch(deliveredTo(ctx, email, at));
    if (lifted.rows.length > 0) suppressionLifted(ctx.correlationId, "delivered");
    return;
  }
  const reason = feedback.type === "email.bounced" ? "bounced" : "complained";
  const emails = [email, ...others];
  try {
    await ctx.db.batch([
      ctx.db.insert(webhookEvents).values({ source: "mail", id, receivedAt: ctx.now }),
      ...suppress(ctx, { emails, reason, at: at ?? ctx.now }),
    ]);
  } catch (error) {
    if (violatesUnique(error, "webhook_events_pkey")) return;
    throw error;
  }
  addressSuppressed(ctx.correlationId, reason, emails.length);
}

/** Never in the future, where it would outweigh later events. */
function eventTime(text: string | undefined, now: Date): Date | null {
  const ms = Date.parse(text ?? "");
  return Number.isNaN(ms) ? null : new Date(Math.min(ms, now.getTime()));
}

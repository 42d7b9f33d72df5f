import { inArray } from "drizzle-orm";
import * as z from "zod";
import type { Context } from "../context.js";
import { violatesUnique } from "../db/failures.js";
import { users } from "../db/schema/accounts.js";
import { suppressedAddresses, webhookEvents } from "../db/schema/mail.js";
import { addressHash } from "../mail/address-hash.js";
import { addressSuppressed } from "../observability/log-lines/mail.js";
import { canonicalEmail } from "./email-address.js";

const to = z
  .array(z.string().max(512))
  .max(50)
  .meta({ examples: [["gone@example.com"]] });

/** Source: resend.com/docs/webhooks/event-types. */
export const MailFeedback = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("email.bounced"),
    // Temporary bounces, such as a full mailbox, are ignored.
    data: z.object({ to, bounce: z.object({ type: z.literal("Permanent") }) }),
  }),
  z.object({ type: z.literal("email.complained"), data: z.object({ to }) }),
]);

/** Suppress addresses that bounced or complained, and mark their accounts. Ignores other events; redelivery is harmless. */
export async function handleMailFeedback(
  ctx: Context,
  { id, event }: { id: string; event: unknown },
): Promise<void> {
  const { data: feedback } = MailFeedback.safeParse(event);
  if (!feedback) return;
  const emails = feedback.data.to.map(canonicalEmail).filter((email) => email !== null);
  if (emails.length === 0) return;
  const reason = feedback.type === "email.bounced" ? "bounced" : "complained";
  const hashes = new Set(emails.map((email) => addressHash(ctx.env, email)));
  const rows = [...hashes].map(
    (hash) => ({ addressHash: hash, reason, createdAt: ctx.now }) as const,
  );
  try {
    await ctx.db.batch([
      ctx.db.insert(webhookEvents).values({ source: "mail", id, receivedAt: ctx.now }),
      ctx.db.insert(suppressedAddresses).values(rows).onConflictDoNothing(),
      ctx.db
        .update(users)
        .set({ emailUndeliverable: true, updatedAt: ctx.now })
        .where(inArray(users.email, emails)),
    ]);
  } catch (error) {
    if (violatesUnique(error, "webhook_events_pkey")) return;
    throw error;
  }
  addressSuppressed(ctx.correlationId, reason, rows.length);
}

import type { Context } from "../context.js";
import { consents } from "../db/schema/privacy.js";

/** The statement that records the acceptance of the current terms, for the batch of the registration. */
export function recordConsent({ db, env, now }: Context, userId: string) {
  return db
    .insert(consents)
    .values({ userId, kind: "terms", version: env.terms.version, acceptedAt: now })
    .onConflictDoNothing();
}

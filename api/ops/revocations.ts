import * as z from "zod";
import { AccountName } from "../../lib/auth/operator/subject.js";
import { AppError } from "../../lib/errors.js";
import { operatorChange } from "../../lib/http/operator-endpoint.js";
import { route } from "../../lib/http/route.js";
import {
  revokeAllSessions,
  revokeSessionById,
  revokeUserSessions,
} from "../../lib/operations/revocations.js";

const POST = operatorChange({
  summary: "Revoke one session, all sessions of a user, or all sessions: name exactly one.",
  scope: "revoke",
  breakGlass: true,
  body: {
    session: z
      .string()
      .regex(/^[\w-]{1,64}$/)
      .meta({ examples: ["1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"] })
      .optional(),
    // The document's example names a session alone.
    user: AccountName.meta({ examples: [] }).optional(),
    everybody: z.literal(true).optional(),
  },
  errors: ["not_found"],
  async change({ ctx, body, dryRun, by }) {
    const { session, user, everybody } = body;
    if (Object.values({ session, user, everybody }).filter(Boolean).length !== 1) {
      const message = "Name exactly one of session, user and everybody.";
      const field = { pointer: "", code: "one_of", message };
      throw new AppError("validation_failed", { fields: [field] });
    }
    if (session !== undefined) return revokeSessionById(ctx, session, { by, dryRun });
    if (user !== undefined) return revokeUserSessions(ctx, user, { by, dryRun });
    return revokeAllSessions(ctx, { by, dryRun });
  },
});

export default route("/api/ops/revocations", { POST });

import { gt, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { erasures } from "../db/schema/privacy.js";
import { type ErasureCopy, keptDays } from "../privacy/erasure-stream.js";
import { backupStore } from "./configured-store.js";
import { withCopyDatabase } from "./copy-database.js";

/** The receipts of the database that the live one was restored from, if the store still has it. */
export function sourceErasures(ctx: Context): ErasureCopy {
  return {
    name: "the source branch in Neon",
    async *read() {
      const store = await backupStore(ctx);
      const sourceId = await store?.findSource?.();
      if (!store || !sourceId) throw new Error("The live database has no source.");
      const uri = await store.connectionUri(sourceId);
      const found = await withCopyDatabase(ctx, uri, ({ db }) =>
        db
          .select()
          .from(erasures)
          .where(gt(erasures.erasedAt, sql`now() - make_interval(days => ${keptDays})`)),
      );
      for (const { userId, erasedAt } of found) yield { userId, erasedAtMs: erasedAt.getTime() };
    },
  };
}

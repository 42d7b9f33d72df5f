import { asc, gt, sql } from "drizzle-orm";
import type { Context } from "../context.js";
import { securitySettings } from "../db/schema/gate.js";
import { restoredErasures } from "../db/schema/privacy.js";
import type { ErasureCopy } from "./erasure-stream.js";

export const handedOverName = "the log beside the backups";

const rowsPerPage = 1000;

/** What the restore program has read beside the backups: the server has neither the key nor the store. */
export function handedOverCopy({ db }: Context): ErasureCopy {
  return {
    name: handedOverName,
    async *read() {
      const [settings] = await db
        .select({ at: securitySettings.erasuresHandedOverAt })
        .from(securitySettings);
      if (!settings?.at) throw new Error("No restore program has handed over the erasures.");
      let after: string | undefined;
      while (true) {
        const page = await db
          .select()
          .from(restoredErasures)
          .where(after === undefined ? sql`true` : gt(restoredErasures.userId, after))
          .orderBy(asc(restoredErasures.userId))
          .limit(rowsPerPage);
        for (const { userId, erasedAt } of page) yield { userId, erasedAtMs: erasedAt.getTime() };
        if (page.length < rowsPerPage) return;
        after = page.at(-1)?.userId;
      }
    },
  };
}

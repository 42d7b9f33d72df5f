import { eq } from "drizzle-orm";
import type { Context } from "../context.js";
import { cronCursors } from "../db/schema/crons.js";
import { type Lease, requireLease } from "./lease.js";

/** Empty before the first move. */
export async function readCursor(ctx: Context, name: string): Promise<string> {
  const [row] = await ctx.db.select().from(cronCursors).where(eq(cronCursors.name, name));
  return row?.position ?? "";
}

/** Rejects when another run has taken the lease over. */
export async function moveCursor(
  ctx: Context,
  lease: Lease,
  name: string,
  position: string,
): Promise<void> {
  await ctx.db.batch([
    requireLease(ctx, lease),
    ctx.db
      .insert(cronCursors)
      .values({ name, position })
      .onConflictDoUpdate({ target: cronCursors.name, set: { position } }),
  ]);
}

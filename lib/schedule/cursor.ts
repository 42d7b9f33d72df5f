import { eq } from "drizzle-orm";
import type { Context } from "../context.js";
import { cronCursors } from "../db/schema/crons.js";
import { type Lease, whileHeld } from "./lease.js";

/** Where work that is longer than one run goes on; empty where it begins. */
export async function readCursor(ctx: Context, name: string): Promise<string> {
  const [row] = await ctx.db.select().from(cronCursors).where(eq(cronCursors.name, name));
  return row?.position ?? "";
}

/** Rejects when somebody has taken the lease over: theirs is the cursor. */
export async function moveCursor(
  ctx: Context,
  lease: Lease,
  name: string,
  position: string,
): Promise<void> {
  await ctx.db.batch([
    whileHeld(ctx, lease),
    ctx.db
      .insert(cronCursors)
      .values({ name, position })
      .onConflictDoUpdate({ target: cronCursors.name, set: { position } }),
  ]);
}

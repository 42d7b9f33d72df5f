import type { SQL } from "drizzle-orm";
import type { Context } from "../../context.js";

/** The column `value` of the only row. */
export async function oneValue<T>({ db }: Context, query: SQL): Promise<T> {
  const { rows } = await db.execute<{ value: T }>(query);
  return rows[0]?.value as T;
}

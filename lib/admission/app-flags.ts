import * as z from "zod";
import type { Context } from "../context.js";
import { flagsOf } from "./admission.js";
import { isOn } from "./flags.js";

export const AppFlags = z.strictObject({
  features: z.record(z.string(), z.boolean()),
  /** Route groups that answer `feature_disabled`, so that the app can hide them. */
  switchedOff: z.array(z.string()),
});
export type AppFlags = z.infer<typeof AppFlags>;

/** The flags for a user, or for an anonymous caller. Sorted, so that equal flags have the same ETag. */
export async function appFlags(ctx: Context, userId: string | undefined): Promise<AppFlags> {
  const { features, off } = await flagsOf(ctx);
  const visible = Object.entries(features).filter(
    ([, { public: all }]) => all || userId !== undefined,
  );
  const entries = visible.map(([name, feature]) => [name, isOn(name, feature, userId)] as const);
  return { features: Object.fromEntries(entries), switchedOff: [...off].sort() };
}

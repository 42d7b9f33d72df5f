import * as z from "zod";
import type { Context } from "../context.js";
import { flagsOf } from "./admission.js";
import { isOn } from "./flags.js";

/** What the app is told. */
export const AppFlags = z.strictObject({
  /** Which features the caller has. */
  features: z.record(z.string(), z.boolean()),
  /** Groups of routes that answer `feature_disabled` now: the app hides what needs them. */
  switchedOff: z.array(z.string()),
});
export type AppFlags = z.infer<typeof AppFlags>;

/** The flags as they are for somebody, and for who is not signed in. What is equal is written alike. */
export async function appFlags(ctx: Context, userId: string | undefined): Promise<AppFlags> {
  const { features, off } = await flagsOf(ctx);
  const told = Object.entries(features).filter(
    ([, { public: all }]) => all || userId !== undefined,
  );
  const entries = told.map(([name, feature]) => [name, isOn(name, feature, userId)] as const);
  return { features: Object.fromEntries(entries), switchedOff: [...off].sort() };
}

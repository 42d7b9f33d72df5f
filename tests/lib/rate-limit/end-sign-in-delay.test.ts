import { expect, it } from "vitest";
import { endSignInDelay } from "../../../lib/rate-limit/end-sign-in-delay.js";
import { aContext } from "../../support/context.js";
import { useEnvironment } from "../../support/environment.js";
import { useLogLines } from "../../support/log-lines.js";
import { useStores } from "../../support/stores.js";

useEnvironment({ LOG_LEVEL: "info" });
const stores = useStores();
const logs = useLogLines();

it.each([
  ["postgres", "sign_in_delay_kept"],
  ["redis", "redis_unavailable"],
] as const)("a failure of %s is logged as %s", async (countedIn, evt) => {
  await stores.faults[countedIn].set({ kind: "refuse" });
  await endSignInDelay(aContext(), "ada@example.com", { counts: [], countedIn, local: [] }, null);
  await stores.faults[countedIn].set(null);
  expect(logs.read().map((line) => line.evt)).toEqual([evt]);
});

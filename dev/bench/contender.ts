import { type LoadRequest, load } from "./load.js";
import { runProgram } from "./program.js";
import type { Contender } from "./rounds.js";
import type { ServedProcess } from "./served-process.js";

/** What is asked of a server, and how often at once. */
export type Ask = Omit<LoadRequest, "url" | "seconds"> & { path: string };

/**
 * A server under load; its CPU time is read before and after, and divided by the replies. What `prepare`
 * makes for each measurement is not part of it.
 */
export function serverContender(
  name: string,
  server: ServedProcess,
  ask: Ask,
  prepare: () => Promise<Partial<LoadRequest>> = async () => ({}),
): Contender {
  const { path, ...asked } = ask;
  return {
    name,
    async measure(seconds) {
      const request = { ...asked, ...(await prepare()) };
      const before = server.usage();
      const { replies, ...sample } = await load({ ...request, url: server.url + path, seconds });
      const after = server.usage();
      const cpuMs = before && after ? after.cpuMs - before.cpuMs : undefined;
      return { ...sample, cpuUs: cpuMs === undefined ? undefined : (cpuMs * 1000) / replies };
    },
  };
}

/** Password verification with nothing around it, `concurrency` at once. */
export function bareArgon2(concurrency: number): Contender {
  return {
    name: "bare argon2",
    async measure(seconds) {
      const result = await runProgram<{ perSecond: number; cpuUs: number }>("argon2-program.ts", [
        String(concurrency),
        String(seconds),
      ]);
      const none = { p50Ms: Number.NaN, p95Ms: Number.NaN, p99Ms: Number.NaN };
      return { ...result, ...none, failures: 0 };
    },
  };
}

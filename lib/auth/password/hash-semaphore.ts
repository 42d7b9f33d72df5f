import { availableParallelism } from "node:os";
import { AppError } from "../../errors.js";

export type HashSemaphore = <T>(hash: () => Promise<T>) => Promise<T>;

const waitMsMax = 500;
const slot = Symbol.for("linguamate.hashGate");
const shared = globalThis as { [slot]?: HashSemaphore };

/** Limits concurrent hashes (19 MiB each). Throws `service_unavailable` after a wait of half a second. */
export const withHashPermit: HashSemaphore = (hash) => {
  shared[slot] ??= createHashSemaphore(Math.min(4, availableParallelism()));
  return shared[slot](hash);
};

export function createHashSemaphore(runningMax: number): HashSemaphore {
  const waiting = new Set<() => void>();
  let running = 0;

  function waitForSlot(): Promise<void> {
    return new Promise((resolve, reject) => {
      const begin = () => {
        clearTimeout(timer);
        waiting.delete(begin);
        resolve();
      };
      const timer = setTimeout(() => {
        waiting.delete(begin);
        reject(new AppError("service_unavailable", { retryAfterSeconds: 1 }));
      }, waitMsMax);
      waiting.add(begin);
    });
  }

  return async (hash) => {
    if (running >= runningMax) await waitForSlot();
    else running++;
    try {
      return await hash();
    } finally {
      const [next] = waiting;
      // The slot goes to the next in line without being released, so no other call can take it.
      if (next) next();
      else running--;
    }
  };
}

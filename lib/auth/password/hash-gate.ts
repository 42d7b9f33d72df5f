import { availableParallelism } from "node:os";
import { AppError } from "../../errors.js";

export type HashGate = <T>(hash: () => Promise<T>) => Promise<T>;

const waitMsMax = 500;
const slot = Symbol.for("linguamate.hashGate");
const shared = globalThis as { [slot]?: HashGate };

/**
 * Run a password hash when few enough are running in this process: at most four, for each takes 19 MiB,
 * and no more than there are cores. Throws `service_unavailable` to whoever would wait for more than
 * half a second.
 */
export const throughHashGate: HashGate = (hash) => {
  shared[slot] ??= hashGate(Math.min(4, availableParallelism()));
  return shared[slot](hash);
};

/** A gate that lets `runningMax` hashes run at once, the others in the order in which they came. */
export function hashGate(runningMax: number): HashGate {
  const waiting = new Set<() => void>();
  let running = 0;

  function turn(): Promise<void> {
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
    if (running >= runningMax) await turn();
    else running++;
    try {
      return await hash();
    } finally {
      const [next] = waiting;
      // The turn passes on without being given up, so that nobody can slip in between.
      if (next) next();
      else running--;
    }
  };
}

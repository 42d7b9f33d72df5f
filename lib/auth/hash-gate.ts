import { AppError } from "../errors.js";

const runningMax = 4;
const waitMsMax = 500;

interface Gate {
  running: number;
  waiting: Set<() => void>;
}

const slot = Symbol.for("linguamate.hashGate");
const shared = globalThis as { [slot]?: Gate };

/**
 * Run a password hash when fewer than four are running in this process, for each takes 19 MiB and a
 * core. Throws `service_unavailable` to whoever would wait for more than half a second.
 */
export async function throughHashGate<T>(hash: () => Promise<T>): Promise<T> {
  shared[slot] ??= { running: 0, waiting: new Set() };
  const gate = shared[slot];
  if (gate.running >= runningMax) await turn(gate);
  else gate.running++;
  try {
    return await hash();
  } finally {
    const [next] = gate.waiting;
    // The turn passes on without being given up, so that nobody can slip in between.
    if (next) next();
    else gate.running--;
  }
}

function turn(gate: Gate): Promise<void> {
  return new Promise((resolve, reject) => {
    const begin = () => {
      clearTimeout(timer);
      gate.waiting.delete(begin);
      resolve();
    };
    const timer = setTimeout(() => {
      gate.waiting.delete(begin);
      reject(new AppError("service_unavailable", { retryAfterSeconds: 1 }));
    }, waitMsMax);
    gate.waiting.add(begin);
  });
}

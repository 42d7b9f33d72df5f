const pending = new Set<Promise<unknown>>();

/** Offer functions the platform's `waitUntil` (`@vercel/functions` looks it up under this symbol). */
export function installWaitUntil(onError: (error: unknown) => void): void {
  const context = {
    waitUntil(promise: Promise<unknown>) {
      const settled: Promise<unknown> = Promise.resolve(promise)
        .catch(onError)
        .finally(() => pending.delete(settled));
      pending.add(settled);
    },
  };
  Object.assign(globalThis, { [Symbol.for("@vercel/request-context")]: { get: () => context } });
}

/** Resolves when all work handed to `waitUntil` has ended, including what that work added. */
export async function pendingWorkDone(): Promise<void> {
  while (pending.size > 0) await Promise.all(pending);
}

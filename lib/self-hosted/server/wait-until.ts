const pending = new Set<Promise<unknown>>();

/** `@vercel/functions` looks `waitUntil` up under this symbol. */
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

/** Resolves after all `waitUntil` work, including work added by it. */
export async function pendingWorkDone(): Promise<void> {
  while (pending.size > 0) await Promise.all(pending);
}

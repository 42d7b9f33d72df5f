const pending = new Set<Promise<unknown>>();

/** Install `waitUntil` where @vercel/functions looks for it. */
export function installWaitUntil(): void {
  Object.assign(globalThis, {
    [Symbol.for("@vercel/request-context")]: {
      get: () => ({
        waitUntil(work: Promise<unknown>) {
          pending.add(work);
          void work.finally(() => pending.delete(work));
        },
      }),
    },
  });
}

/** Resolves when all background work of requests is done. */
export async function settled(): Promise<void> {
  while (pending.size > 0) await Promise.allSettled([...pending]);
}

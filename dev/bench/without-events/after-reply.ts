/**
 * Stands in for lib/http/after-reply.ts in the same build. Only what a request has left for later is
 * done, as if nothing were told of it.
 */
export async function afterReply({
  deferred,
}: {
  deferred: (() => Promise<unknown>)[];
}): Promise<void> {
  while (deferred.length > 0) {
    await Promise.allSettled(deferred.splice(0).map((work) => work()));
  }
}

import { requestEnded } from "../../lib/requests-in-flight.js";

/** Replaces lib/http/after-reply.ts in the build without request events. */
export async function afterReply({
  deferred,
}: {
  deferred: (() => Promise<unknown>)[];
}): Promise<void> {
  requestEnded();
  while (deferred.length > 0) {
    await Promise.allSettled(deferred.splice(0).map((work) => work()));
  }
}

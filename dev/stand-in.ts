import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/** What befalls the requests from now on that are asked for. */
export interface Faults<Fault> {
  /** The next `times` requests, or all of them when it is left out; null ends it. */
  fail(fault: Fault | null): void;
  /** What befalls the request that has just arrived. */
  next(): Fault | null;
}

export function faultsOnDemand<Fault extends { times?: number }>(): Faults<Fault> {
  let fault: Fault | null = null;
  let hits = 0;
  return {
    fail(next) {
      fault = next;
      hits = 0;
    },
    next() {
      hits += 1;
      return fault && hits <= (fault.times ?? Number.POSITIVE_INFINITY) ? fault : null;
    },
  };
}

/** Have a server listen on a free port of this machine. Closed, it refuses connections. */
export async function listenLocally(
  server: Server,
): Promise<{ url: string; close(): Promise<void> }> {
  // Longer than any client keeps an idle connection: only faults that were asked for shall happen.
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface Faults<Fault> {
  /** For the next `times` requests (default: all). Null removes the fault. */
  fail(fault: Fault | null): void;
  /** The fault of the request that has just arrived. */
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

/** Listen on a free local port. After `close` it refuses connections. */
export async function listenLocally(
  server: Server,
): Promise<{ url: string; close(): Promise<void> }> {
  // Longer than the idle timeout of any client, so that only requested faults happen.
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

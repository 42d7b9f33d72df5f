import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

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

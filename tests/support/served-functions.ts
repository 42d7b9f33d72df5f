import { resolve } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { unmatched } from "../../lib/http/unmatched.js";
import { routesFromFiles } from "../../lib/self-hosted/server/routes.js";
import { startServer } from "../../lib/self-hosted/server/server.js";
import { sourceFiles } from "./source-files.js";

/** Serve the functions on a port, with the stores and the environment of this test file. */
export function useServedFunctions(): { readonly url: string } {
  let server: Awaited<ReturnType<typeof startServer>> | undefined;
  const routes = routesFromFiles(sourceFiles("api")).map(({ file, path }) => ({
    path,
    load: async () => (await import(resolve(file))).default,
  }));
  beforeAll(async () => {
    server = await startServer({
      port: 0,
      host: "127.0.0.1",
      routes: () => routes,
      unmatched,
      publicDirectory: "public",
      trustedProxies: [],
      log: () => {},
    });
  });
  afterAll(() => server?.close());
  return {
    get url() {
      if (!server) throw new Error("The server runs only inside tests and hooks.");
      return `http://127.0.0.1:${server.port}`;
    },
  };
}

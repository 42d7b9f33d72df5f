import { randomBytes } from "node:crypto";
import process from "node:process";
import type { Route } from "../../lib/self-hosted/server/server.js";
import { mailboxPage, mailboxPath } from "./page.js";
import { startResendEndpoint } from "./resend-endpoint.js";

export interface OpenMailbox {
  /** False if the environment has a key of the real provider. */
  isUsed: boolean;
  /** Adds the routes of the mailbox. The array changes only if `routes` does. */
  withPage(routes: () => readonly Route[]): () => readonly Route[];
  close(): Promise<void>;
}

/** Use a local mailbox unless the environment has a key. Call this before the environment is read. */
export async function openMailbox(): Promise<OpenMailbox> {
  if (process.env.RESEND_API_KEY?.trim()) {
    return { isUsed: false, withPage: (routes) => routes, close: async () => {} };
  }
  const provider = await startResendEndpoint(`re_${randomBytes(16).toString("hex")}`);
  process.env.RESEND_API_URL = provider.url;
  process.env.RESEND_API_KEY = provider.apiKey;
  const page = { fetch: mailboxPage(provider.mailbox) };
  const own = [mailboxPath, `${mailboxPath}/[id]`].map((path) => ({
    path,
    load: async () => page,
  }));
  return {
    isUsed: true,
    withPage(routes) {
      let [from, joined] = [routes(), [...routes(), ...own]];
      return () => {
        if (from !== routes()) [from, joined] = [routes(), [...routes(), ...own]];
        return joined;
      };
    },
    close: provider.close,
  };
}

import { UsageError } from "./failures.js";

/** Whether OPS_TOKEN may go to `url`: a typed --url may be another's. */
export function mayReceiveToken(url: URL, tokenUrl: string | undefined): boolean {
  if (isLoopback(url)) return true;
  return (
    tokenUrl !== undefined && URL.canParse(tokenUrl) && new URL(tokenUrl).origin === url.origin
  );
}

/** Before a password or a token is sent. Throws `UsageError`. */
export function requireEncryption(url: URL): void {
  if (url.protocol === "https:" || isLoopback(url)) return;
  throw new UsageError(
    `Passwords and tokens are not sent to ${url.origin} in clear text. Use https://, or a tunnel to localhost.`,
  );
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
}

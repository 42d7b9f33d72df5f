import type { IncomingMessage } from "node:http";

/** The platform's limit for a request's body. */
const bodyBytesMax = 4.5 * 1024 * 1024;

/**
 * Hold a request's body to the platform's limit; false when it is larger.
 *
 * A body without a stated length is read here, counted as it comes, and left where the adapter of
 * `fetch` looks for one that was read before (`rawBody`); one with a length is left to stream.
 */
export async function holdBodyToLimit(incoming: IncomingMessage): Promise<boolean> {
  if (incoming.headers["transfer-encoding"] === undefined) {
    return Number(incoming.headers["content-length"] ?? 0) <= bodyBytesMax;
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > bodyBytesMax) return false;
    chunks.push(chunk);
  }
  Object.assign(incoming, { rawBody: Buffer.concat(chunks) });
  return true;
}

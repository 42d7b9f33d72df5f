import { rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { FailedError } from "./failures.js";
import { type HttpAnswer, parsed, receivedOf } from "./http.js";
import { openNewFile } from "./new-file.js";

interface Download {
  path: string;
  body: object;
  headers: Record<string, string>;
  /** Must not exist. */
  file: string;
}

/** POST, and write the reply to a file while it arrives. Returns the answer of a refusal. Throws `UsageError`, `FailedError`. */
export async function download(
  url: URL,
  { path, body, headers, file }: Download,
): Promise<{ bytes: number } | HttpAnswer> {
  const response = await fetch(new URL(path, url), {
    method: "POST",
    redirect: "manual",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  }).catch((error: Error) => {
    throw new FailedError(`${url.origin} does not answer: ${error.message}.`);
  });
  if (!response.ok || !response.body) {
    const text = await response.text();
    const reply = parsed(text) as { code?: unknown } | undefined;
    return {
      status: response.status,
      body: reply,
      code: typeof reply?.code === "string" ? reply.code : undefined,
      received: receivedOf(url, "POST", path, response.status, text),
      retryAfter: response.headers.get("retry-after") ?? undefined,
    };
  }
  let bytes = 0;
  const counted = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      bytes += chunk.byteLength;
      yield chunk;
    }
  };
  const target = await openNewFile(file);
  try {
    await pipeline(Readable.fromWeb(response.body as never), counted, target.createWriteStream());
  } catch (error) {
    await rm(file, { force: true });
    throw new FailedError(`The download broke off: ${(error as Error).message}. Nothing was kept.`);
  }
  return { bytes };
}

import { createHash } from "node:crypto";

/** Passes bytes through and counts and hashes them. */
export function digest() {
  const hash = createHash("sha256");
  let bytes = 0;
  return {
    async *of(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const chunk of source) {
        hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    },
    get bytes() {
      return bytes;
    },
    /** Once, after the end. */
    sha256: () => hash.digest("hex"),
  };
}

export async function* once(text: string | Uint8Array): AsyncGenerator<Uint8Array> {
  yield typeof text === "string" ? Buffer.from(text) : text;
}

/** For small objects only. */
export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

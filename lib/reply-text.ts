/** The body of a reply of an external service; null when it is larger than `bytesMax`. */
export async function boundedText(response: Response, bytesMax: number): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** RFC 9110, section 10.2.3: seconds or a date. At most an hour; 0 without the header. */
export function retryAfterMs(header: string | null | undefined): number {
  const given = header ?? "";
  const ms = /^\d+$/.test(given) ? Number(given) * 1000 : Date.parse(given) - Date.now();
  return Math.max(0, Math.min(ms || 0, 3_600_000));
}

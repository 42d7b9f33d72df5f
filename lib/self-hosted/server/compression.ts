import { type IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Transform } from "node:stream";
import { promisify } from "node:util";
import zlib from "node:zlib";

type Encoding = "br" | "gzip";

const bytesMin = 1024;
const compressible =
  /^(text\/|application\/(.+\+)?(json|xml)\b|application\/javascript|image\/svg)/i;
const brotliOptions: zlib.BrotliOptions = {
  params: {
    // The default quality (11) and window (4 MB a reply) are for files that are compressed once.
    [zlib.constants.BROTLI_PARAM_QUALITY]: 4,
    [zlib.constants.BROTLI_PARAM_LGWIN]: 18,
  },
};
const compress = { br: promisify(zlib.brotliCompress), gzip: promisify(zlib.gzip) };

/**
 * Compresses what is written when the client accepts br or gzip: text, JSON, XML and SVG, from 1 KB or of unknown
 * length, unless the function encoded it itself or says `no-transform`.
 *
 * Streamed replies are flushed with each chunk. A strong ETag becomes weak, because the bytes differ
 * (RFC 9110, section 8.8.3).
 */
export class CompressingResponse<
  Request extends IncomingMessage = IncomingMessage,
> extends ServerResponse<Request> {
  /** The head of a reply that may be compressed; its body decides. */
  #waiting: { status: number; headers: OutgoingHttpHeaders } | undefined;
  #coder: (Transform & { flush(kind: number): void }) | undefined;
  #flushKind = 0;

  /** With a status message the reply is not compressed. */
  override writeHead(status: number, ...rest: unknown[]): this {
    const [given = {}] = rest as [OutgoingHttpHeaders?];
    this.#waiting = undefined;
    if (rest.length > 1 || !isCompressible(this.req, status, given)) {
      return super.writeHead(status, ...(rest as []));
    }
    this.#waiting = { status, headers: withLowerCaseNames(given) };
    return this;
  }

  override flushHeaders(): void {
    if (this.#waiting) this.#startStream();
    super.flushHeaders();
  }

  override write(chunk: unknown, ...rest: unknown[]): boolean {
    if (this.#waiting) this.#startStream();
    const coder = this.#coder;
    if (!coder) return super.write(chunk, ...(rest as []));
    const hasRoom = coder.write(chunk, ...(rest as []));
    coder.flush(this.#flushKind);
    if (!hasRoom) coder.once("drain", () => this.emit("drain"));
    return hasRoom;
  }

  /** A body with an encoding or a callback is not compressed. */
  override end(...rest: unknown[]): this {
    if (this.#coder) {
      this.#coder.end(...(rest as []));
      return this;
    }
    if (!this.#waiting) return super.end(...(rest as []));
    const [body = ""] = rest;
    if (rest.length > 1 || !(typeof body === "string" || body instanceof Uint8Array)) {
      this.#sendHead(undefined);
      return super.end(...(rest as []));
    }
    const bytes = Buffer.byteLength(body);
    const encoding = bytes < bytesMin ? undefined : acceptedEncoding(this.req);
    if (!encoding) {
      this.#sendHead(undefined, bytes);
      return super.end(body);
    }
    compress[encoding](body, encoding === "br" ? brotliOptions : {})
      .then((compressed) => {
        this.#sendHead(encoding, compressed.length);
        super.end(compressed);
      })
      .catch((error: Error) => this.destroy(error));
    return this;
  }

  #sendHead(encoding: Encoding | undefined, length?: number): void {
    const { status, headers } = this.#waiting ?? { status: 200, headers: {} };
    this.#waiting = undefined;
    super.writeHead(status, replyHeaders(headers, encoding, length));
  }

  /** What is written from here on goes through a compressor that passes each chunk on at once. */
  #startStream(): void {
    const encoding = acceptedEncoding(this.req);
    this.#sendHead(encoding);
    if (!encoding) return;
    const coder = encoding === "br" ? zlib.createBrotliCompress(brotliOptions) : zlib.createGzip();
    this.#coder = coder;
    this.#flushKind =
      encoding === "br" ? zlib.constants.BROTLI_OPERATION_FLUSH : zlib.constants.Z_SYNC_FLUSH;
    coder.on("data", (bytes) => {
      if (!super.write(bytes)) coder.pause();
    });
    coder.on("end", () => super.end());
    coder.on("error", (error) => this.destroy(error));
    this.on("drain", () => coder.resume());
    this.on("close", () => coder.destroy());
  }
}

/** The best encoding of an Accept-Encoding header: the greater weight, br before gzip. */
function acceptedEncoding({ headers }: IncomingMessage): Encoding | undefined {
  const header = headers["accept-encoding"];
  if (!header) return undefined;
  const weights = new Map<string, number>();
  for (const part of String(header).toLowerCase().split(",")) {
    const [name = "", ...parameters] = part.split(";").map((text) => text.trim());
    const quality = parameters.find((text) => text.startsWith("q="))?.slice(2);
    weights.set(name, quality === undefined ? 1 : Number(quality) || 0);
  }
  const weight = (name: Encoding) => weights.get(name) ?? weights.get("*") ?? 0;
  const best = weight("br") >= weight("gzip") ? "br" : "gzip";
  return weight(best) > 0 ? best : undefined;
}

function withLowerCaseNames(headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}

function isCompressible(
  incoming: IncomingMessage,
  status: number,
  headers: OutgoingHttpHeaders,
): boolean {
  return (
    incoming.method !== "HEAD" &&
    status >= 200 &&
    ![204, 206, 304].includes(status) &&
    !(Number(headerValue(headers, "content-length") ?? bytesMin) < bytesMin) &&
    headerValue(headers, "content-encoding") === undefined &&
    !/\bno-transform\b/i.test(String(headerValue(headers, "cache-control") ?? "")) &&
    compressible.test(String(headerValue(headers, "content-type") ?? ""))
  );
}

function headerValue(headers: OutgoingHttpHeaders, lowerCaseName: string) {
  for (const name in headers) {
    const isIt = name.length === lowerCaseName.length && name.toLowerCase() === lowerCaseName;
    if (isIt) return headers[name];
  }
  return undefined;
}

function replyHeaders(
  headers: OutgoingHttpHeaders,
  encoding: Encoding | undefined,
  length: number | undefined,
): OutgoingHttpHeaders {
  const { "content-length": identityLength, ...others } = headers;
  const bytes = length ?? (encoding ? undefined : identityLength);
  const vary = [headers.vary ?? [], "Accept-Encoding"].flat().join(", ");
  const isSmall = !encoding && bytes !== undefined && Number(bytes) < bytesMin;
  return {
    ...others,
    ...(bytes === undefined ? {} : { "content-length": bytes }),
    ...(isSmall ? {} : { vary }),
    ...(encoding ? { "content-encoding": encoding } : {}),
    ...(encoding && String(headers.etag ?? "").startsWith('"')
      ? { etag: `W/${headers.etag}` }
      : {}),
  };
}

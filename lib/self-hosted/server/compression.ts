import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
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
 * Compress what is written to `outgoing` when the client accepts br or gzip: text, JSON, XML and SVG, from 1 KB or of
 * unknown length, unless the function encoded it itself or says `no-transform`. Streamed replies are flushed with each
 * chunk. A strong ETag becomes weak, because the bytes differ (RFC 9110, section 8.8.3).
 */
export function compressReply(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const accepted = acceptedEncoding(incoming.headers["accept-encoding"]);
  const plain = {
    writeHead: outgoing.writeHead.bind(outgoing),
    flushHeaders: outgoing.flushHeaders.bind(outgoing),
    write: outgoing.write.bind(outgoing),
    end: outgoing.end.bind(outgoing),
  };
  Object.assign(outgoing, {
    writeHead(status: number, given: OutgoingHttpHeaders = {}) {
      if (!isCompressible(incoming, status, given)) {
        Object.assign(outgoing, plain);
        return plain.writeHead(status, given);
      }
      const headers = withLowerCaseNames(given);
      const start = (encoding: Encoding | undefined, length?: number) => {
        Object.assign(outgoing, plain);
        return plain.writeHead(status, replyHeaders(headers, encoding, length));
      };
      Object.assign(outgoing, {
        end(body: string | Uint8Array = "") {
          const length = Buffer.byteLength(body);
          if (!accepted || length < bytesMin) {
            start(undefined, length).end(body);
          } else {
            compress[accepted](body, accepted === "br" ? brotliOptions : {}).then(
              (bytes) => start(accepted, bytes.length).end(bytes),
              (error: Error) => outgoing.destroy(error),
            );
          }
          return outgoing;
        },
        flushHeaders() {
          start(accepted).flushHeaders();
          if (accepted) compressStream(outgoing, plain, accepted);
        },
        write(chunk: Uint8Array) {
          start(accepted);
          if (accepted) compressStream(outgoing, plain, accepted);
          return outgoing.write(chunk);
        },
      });
      return outgoing;
    },
  });
}

/** The best encoding of an Accept-Encoding header: the greater weight, br before gzip. */
function acceptedEncoding(header: string | string[] | undefined): Encoding | undefined {
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

type Writing = Pick<ServerResponse, "write" | "end">;

/** Send what is written from here on through a compressor that passes each chunk on at once. */
function compressStream(outgoing: ServerResponse, plain: Writing, encoding: Encoding): void {
  const coder = encoding === "br" ? zlib.createBrotliCompress(brotliOptions) : zlib.createGzip();
  const flushKind =
    encoding === "br" ? zlib.constants.BROTLI_OPERATION_FLUSH : zlib.constants.Z_SYNC_FLUSH;
  coder.on("data", (bytes) => {
    if (!plain.write(bytes)) coder.pause();
  });
  coder.on("end", () => plain.end());
  coder.on("error", (error) => outgoing.destroy(error));
  outgoing.on("drain", () => coder.resume());
  outgoing.on("close", () => coder.destroy());
  Object.assign(outgoing, {
    write(chunk: Uint8Array) {
      const hasRoom = coder.write(chunk);
      coder.flush(flushKind);
      if (!hasRoom) coder.once("drain", () => outgoing.emit("drain"));
      return hasRoom;
    },
    end(chunk?: Uint8Array) {
      coder.end(chunk);
      return outgoing;
    },
  });
}

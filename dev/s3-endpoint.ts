import { createHash, randomUUID } from "node:crypto";
import http, { type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { crc32 } from "node:zlib";

interface Stored {
  body: Buffer;
  modifiedAt: Date;
  metadata: Record<string, string>;
}

interface Upload {
  key: string;
  initiatedAt: Date;
  metadata: Record<string, string>;
  parts: Map<number, Buffer>;
}

export interface S3Endpoint {
  url: string;
  /** By key, of all buckets: `bucket/key`. */
  objects: Map<string, Stored>;
  /** Multipart uploads that were neither completed nor aborted, by ID. */
  uploads: Map<string, Upload>;
  close(): Promise<void>;
}

interface Call {
  request: IncomingMessage;
  key: string;
  query: URLSearchParams;
  body: Buffer;
}

interface Reply {
  status?: number;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

class S3Error extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
  ) {
    super(code);
  }
}

/**
 * A stand-in of Amazon S3 in memory: objects, ranges, lists, multipart uploads and their abortion. It verifies the SHA-256
 * and the CRC-32 of what it receives, and refuses a second completion, as most servers do. It does not verify signatures.
 */
export async function startS3Endpoint(now: () => Date = () => new Date()): Promise<S3Endpoint> {
  const objects = new Map<string, Stored>();
  const uploads = new Map<string, Upload>();

  function answer(call: Call): Reply {
    const { request, query } = call;
    const { method = "" } = request;
    if (query.has("uploads")) return method === "POST" ? create(call) : listUploads(call);
    if (query.has("uploadId")) return ofUpload(method, call);
    if (query.has("list-type")) return list(call);
    if (method === "PUT") return put(call);
    if (method === "DELETE") {
      objects.delete(call.key);
      return { status: 204 };
    }
    return get(call, method);
  }

  function put({ request, key, body }: Call): Reply {
    verify(request, body);
    objects.set(key, { body, modifiedAt: now(), metadata: metadataOf(request) });
    return { headers: { etag: etagOf(body) } };
  }

  function get({ request, key }: Call, method: string): Reply {
    const found = objects.get(key);
    if (!found) throw new S3Error("NoSuchKey", 404);
    const etag = etagOf(found.body);
    const wanted = request.headers["if-match"];
    if (wanted !== undefined && wanted !== etag) throw new S3Error("PreconditionFailed", 412);
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const part = found.body.subarray(start);
    return {
      status: request.headers.range ? 206 : 200,
      headers: {
        etag,
        "content-length": String(part.length),
        "last-modified": found.modifiedAt.toUTCString(),
        ...Object.fromEntries(
          Object.entries(found.metadata).map(([name, value]) => [`x-amz-meta-${name}`, value]),
        ),
      },
      ...(method === "HEAD" ? {} : { body: part }),
    };
  }

  /** Two at a time, so that callers have to continue. */
  function list({ key: bucket, query }: Call): Reply {
    const prefix = `${bucket}/${query.get("prefix") ?? ""}`;
    const after = query.get("continuation-token") ?? "";
    const found = [...objects].filter(([key]) => key.startsWith(prefix) && key > after).sort();
    const page = found.slice(0, 2);
    const next = found.length > 2 ? page.at(-1)?.[0] : undefined;
    const contents = page.map(
      ([key, { body, modifiedAt }]) =>
        `<Contents><Key>${key.slice(bucket.length + 1)}</Key><Size>${body.length}</Size><LastModified>${modifiedAt.toISOString()}</LastModified></Contents>`,
    );
    const continued = next ? `<NextContinuationToken>${next}</NextContinuationToken>` : "";
    return xml("ListBucketResult", `${contents.join("")}${continued}`);
  }

  function create({ request, key }: Call): Reply {
    const id = randomUUID();
    const metadata = metadataOf(request);
    uploads.set(id, { key, initiatedAt: now(), metadata, parts: new Map() });
    return xml("InitiateMultipartUploadResult", `<UploadId>${id}</UploadId>`);
  }

  function listUploads({ key: bucket, query }: Call): Reply {
    const prefix = `${bucket}/${query.get("prefix") ?? ""}`;
    const open = [...uploads].filter(([, { key }]) => key.startsWith(prefix));
    const listed = open.map(
      ([id, { key, initiatedAt }]) =>
        `<Upload><Key>${key.slice(bucket.length + 1)}</Key><UploadId>${id}</UploadId><Initiated>${initiatedAt.toISOString()}</Initiated></Upload>`,
    );
    return xml("ListMultipartUploadsResult", listed.join(""));
  }

  function ofUpload(method: string, { request, query, body }: Call): Reply {
    const id = query.get("uploadId") ?? "";
    const upload = uploads.get(id);
    if (!upload) throw new S3Error("NoSuchUpload", 404);
    if (method === "DELETE") {
      uploads.delete(id);
      return { status: 204 };
    }
    if (method === "PUT") {
      verify(request, body);
      upload.parts.set(Number(query.get("partNumber")), body);
      return { headers: { etag: etagOf(body) } };
    }
    const named = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)];
    const parts = named.map(([, number]) => upload.parts.get(Number(number)));
    if (parts.length === 0 || parts.includes(undefined)) throw new S3Error("InvalidPart", 400);
    const whole = Buffer.concat(parts as Buffer[]);
    objects.set(upload.key, { body: whole, modifiedAt: now(), metadata: upload.metadata });
    uploads.delete(id);
    return xml("CompleteMultipartUploadResult", `<ETag>${etagOf(whole)}</ETag>`);
  }

  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const url = new URL(request.url ?? "/", "http://s3");
    const key = decodeURIComponent(url.pathname.slice(1)).replace(/\/$/, "");
    const call = { request, key, query: url.searchParams, body: Buffer.concat(chunks) };
    const { status = 200, headers = {}, body = "" } = answered(() => answer(call));
    response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    objects,
    uploads,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answered(answer: () => Reply): Reply {
  try {
    return answer();
  } catch (error) {
    if (!(error instanceof S3Error)) throw error;
    const reply = xml("Error", `<Code>${error.code}</Code><Message>${error.code}</Message>`);
    return { ...reply, status: error.status };
  }
}

function verify({ headers }: IncomingMessage, body: Buffer): void {
  const sha256 = String(headers["x-amz-content-sha256"] ?? "");
  if (/^[0-9a-f]{64}$/.test(sha256) && sha256 !== createHash("sha256").update(body).digest("hex")) {
    throw new S3Error("XAmzContentSHA256Mismatch", 400);
  }
  const checksum = headers["x-amz-checksum-crc32"];
  if (checksum === undefined) throw new S3Error("MissingChecksum", 400);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  if (checksum !== bytes.toString("base64")) throw new S3Error("BadDigest", 400);
}

function metadataOf({ headers }: IncomingMessage): Record<string, string> {
  const prefix = "x-amz-meta-";
  return Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, value]) => [name.slice(prefix.length), String(value)]),
  );
}

function etagOf(body: Buffer): string {
  return `"${createHash("md5").update(body).digest("hex")}"`;
}

function xml(root: string, content: string): Reply {
  return {
    headers: { "content-type": "application/xml" },
    body: `<?xml version="1.0" encoding="UTF-8"?><${root}>${content}</${root}>`,
  };
}

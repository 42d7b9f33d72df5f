import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { BackupError, ObjectMissingError } from "../failures.js";
import type { ArchiveStore, StoredObject } from "./archive-store.js";

interface Options {
  /** Of an upload, and the memory that one needs. S3 allows 10,000 parts, each at least 5 MiB. */
  partBytes?: number;
  /** Without progress. */
  timeoutMs?: number;
  client?: ConstructorParameters<typeof S3Client>[0];
}

/** Other programs may use the same bucket. */
const ours = /^(dump|base|wal|erasures)\//;

const partsMax = 10_000;
const attemptsMax = 5;

/** `s3://bucket/prefix`. Region, credentials and endpoint come from the AWS_* variables and files, as in the AWS CLI. */
export function bucketStore(
  url: string,
  { partBytes = 16 * 1024 * 1024, timeoutMs = 60_000, client = {} }: Options = {},
): ArchiveStore {
  const { hostname: bucket, pathname } = new URL(url);
  const folder = decodeURIComponent(pathname).replace(/^\/|\/$/g, "");
  const prefixOfAll = folder ? `${folder}/` : "";
  const s3 = new S3Client({
    maxAttempts: attemptsMax,
    requestHandler: {
      connectionTimeout: Math.min(5000, timeoutMs),
      requestTimeout: timeoutMs,
      throwOnRequestTimeout: true,
    },
    // Servers at an endpoint of their own rarely have a host name for each bucket.
    forcePathStyle: true,
    ...client,
  });
  const Bucket = bucket;
  const keyOf = (name: string) => `${prefixOfAll}${name}`;
  const description = `s3://${bucket}/${folder}`;

  async function uploadWhole(name: string, Body: Buffer): Promise<void> {
    await againIfDamaged(() =>
      s3.send(new PutObjectCommand({ Bucket, Key: keyOf(name), Body, ChecksumAlgorithm: "CRC32" })),
    );
  }

  async function uploadInParts(name: string, parts: AsyncGenerator<Buffer>): Promise<void> {
    const Key = keyOf(name);
    // Recognises the object when the reply to the completion is lost.
    const Metadata = { upload: randomUUID() };
    const created = await s3.send(
      new CreateMultipartUploadCommand({ Bucket, Key, Metadata, ChecksumAlgorithm: "CRC32" }),
    );
    const upload = { Bucket, Key, UploadId: created.UploadId };
    try {
      const Parts: CompletedPart[] = [];
      let bytes = 0;
      for await (const Body of parts) {
        const PartNumber = Parts.length + 1;
        if (PartNumber > partsMax)
          throw new BackupError(
            `A backup may have at most ${partsMax} parts of ${partBytes} bytes.`,
          );
        const { ETag, ChecksumCRC32 } = await againIfDamaged(() =>
          s3.send(
            new UploadPartCommand({ ...upload, PartNumber, Body, ChecksumAlgorithm: "CRC32" }),
          ),
        );
        Parts.push({ PartNumber, ETag, ...(ChecksumCRC32 ? { ChecksumCRC32 } : {}) });
        bytes += Body.length;
      }
      await complete({ ...upload, MultipartUpload: { Parts } }, { bytes, id: Metadata.upload });
    } catch (error) {
      // What cannot be aborted now is removed later, by its age.
      await s3.send(new AbortMultipartUploadCommand(upload)).catch(() => {});
      throw error;
    }
  }

  /** A repeated completion is refused by most servers, so the object itself tells whether the first one arrived. */
  async function complete(
    input: ConstructorParameters<typeof CompleteMultipartUploadCommand>[0],
    { bytes, id }: { bytes: number; id: string },
  ): Promise<void> {
    try {
      await s3.send(new CompleteMultipartUploadCommand(input));
    } catch (error) {
      const { Key } = input;
      const found = await s3.send(new HeadObjectCommand({ Bucket, Key })).catch(() => undefined);
      if (found?.ContentLength !== bytes || found.Metadata?.upload !== id) throw error;
    }
  }

  async function* download(name: string): AsyncGenerator<Uint8Array> {
    let offset = 0;
    let etag: string | undefined;
    for (let failures = 0; ; failures++) {
      const before = offset;
      try {
        const { Body, ETag } = await s3.send(
          new GetObjectCommand({
            Bucket,
            Key: keyOf(name),
            ...(etag === undefined ? {} : { IfMatch: etag, Range: `bytes=${offset}-` }),
          }),
        );
        etag = ETag;
        for await (const chunk of unlessIdle(Body as Readable, timeoutMs)) {
          offset += chunk.length;
          yield chunk;
        }
        return;
      } catch (error) {
        if (isHttpReply(error)) throw error;
        if (offset > before) failures = 0;
        if (failures >= attemptsMax || etag === undefined) throw error;
      }
    }
  }

  const explaining = async <T>(action: () => Promise<T>): Promise<T> => {
    try {
      return await action();
    } catch (error) {
      throw explained(error, description);
    }
  };

  return {
    description,
    put: (name, body) =>
      explaining(async () => {
        const parts = inParts(body, partBytes);
        const first = await parts.next();
        const second = await parts.next();
        if (second.done) await uploadWhole(name, first.value ?? Buffer.alloc(0));
        else
          await uploadInParts(name, chained([first.value ?? Buffer.alloc(0), second.value], parts));
      }),
    async *get(name) {
      try {
        yield* download(name);
      } catch (error) {
        if (isNamed(error, "NoSuchKey"))
          throw new ObjectMissingError(`${name} is not in ${description}.`);
        throw explained(error, description);
      }
    },
    list: (prefix) =>
      explaining(async () => {
        const objects: StoredObject[] = [];
        let ContinuationToken: string | undefined;
        do {
          const page = await s3.send(
            new ListObjectsV2Command({ Bucket, Prefix: keyOf(prefix), ContinuationToken }),
          );
          for (const { Key = "", Size = 0, LastModified = new Date(0) } of page.Contents ?? []) {
            objects.push({
              name: Key.slice(prefixOfAll.length),
              bytes: Size,
              modifiedAt: LastModified,
            });
          }
          ContinuationToken = page.NextContinuationToken;
        } while (ContinuationToken);
        return objects.sort((a, b) => (a.name < b.name ? -1 : 1));
      }),
    find: (name) =>
      explaining(async () => {
        try {
          const found = await s3.send(new HeadObjectCommand({ Bucket, Key: keyOf(name) }));
          const { ContentLength: bytes = 0, LastModified: modifiedAt = new Date(0) } = found;
          return { name, bytes, modifiedAt };
        } catch (error) {
          if (isNamed(error, "NotFound", "NoSuchKey")) return undefined;
          throw error;
        }
      }),
    remove: (name) =>
      explaining(async () => {
        await s3.send(new DeleteObjectCommand({ Bucket, Key: keyOf(name) }));
      }),
    removeUnfinished: (before) =>
      explaining(async () => {
        let removed = 0;
        let markers = {};
        for (;;) {
          const page = await s3.send(
            new ListMultipartUploadsCommand({ Bucket, Prefix: prefixOfAll, ...markers }),
          );
          for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
            const isOurs = ours.test(Key?.slice(prefixOfAll.length) ?? "");
            if (!isOurs || !Initiated || Initiated >= before) continue;
            await s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
            removed++;
          }
          if (!page.IsTruncated) return removed;
          markers = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
        }
      }),
  };
}

async function* inParts(body: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Buffer> {
  let chunks: Uint8Array[] = [];
  let gathered = 0;
  for await (const chunk of body) {
    let rest = chunk;
    while (gathered + rest.length >= bytes) {
      const part = Buffer.concat([...chunks, rest.subarray(0, bytes - gathered)]);
      rest = rest.subarray(bytes - gathered);
      chunks = [];
      gathered = 0;
      yield part;
    }
    chunks.push(rest);
    gathered += rest.length;
  }
  if (gathered > 0) yield Buffer.concat(chunks);
}

/** The timeout of the client ends with the head of a reply. */
async function* unlessIdle(body: Readable, idleMs: number): AsyncGenerator<Uint8Array> {
  const idle = Object.assign(new Error(`no data for ${idleMs / 1000} s`), { name: "TimeoutError" });
  const watch = () => setTimeout(() => body.destroy(idle), idleMs);
  let timer = watch();
  try {
    for await (const chunk of body) {
      // While the reader is busy, nothing is read.
      clearTimeout(timer);
      yield chunk;
      timer = watch();
    }
  } finally {
    clearTimeout(timer);
  }
}

async function* chained(first: Buffer[], rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  yield* first;
  yield* rest;
}

/** The client repeats what may pass by itself; data that was damaged on the way is repeated here. */
async function againIfDamaged<T>(send: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send();
    } catch (error) {
      const isDamaged = isNamed(error, "BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch");
      if (!isDamaged || attempt >= attemptsMax) throw error;
    }
  }
}

function isNamed(error: unknown, ...names: string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}

function isHttpReply(error: unknown): boolean {
  const metadata = (error as { $metadata?: { httpStatusCode?: number } }).$metadata;
  return metadata?.httpStatusCode !== undefined && metadata.httpStatusCode >= 400;
}

function explained(error: unknown, description: string): unknown {
  if (error instanceof BackupError || !(error instanceof Error)) return error;
  const isOfStore =
    "$metadata" in error ||
    isNamed(error, "CredentialsProviderError", "TimeoutError") ||
    "code" in error;
  if (!isOfStore) return error;
  return new BackupError(
    `${description} refused or did not answer: ${error.name}: ${error.message}`,
    {
      cause: error,
    },
  );
}

import { digestOf, etagOf, isKnown } from "./etag.js";
import { Reply } from "./reply.js";

const cacheControl = "public, max-age=60, s-maxage=300, stale-while-revalidate=86400";

/** 304 when If-None-Match names the text. A cache may keep it for five minutes, and a day more while it asks again. */
export function sharedReply<Body>(
  text: string,
  headers: Headers,
): Reply<200, Body> | Reply<304, undefined> {
  const version = digestOf(text);
  const shared = { ETag: etagOf(version), "Cache-Control": cacheControl };
  return isKnown(headers, version)
    ? new Reply(304, undefined, shared)
    : new Reply(200, JSON.parse(text) as Body, shared);
}

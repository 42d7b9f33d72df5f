import * as z from "zod";
import { endpoint } from "../lib/http/endpoint.js";
import { digestOf, etagOf, isKnown } from "../lib/http/etag.js";
import { Reply } from "../lib/http/reply.js";
import { route } from "../lib/http/route.js";

/** On the first request: its 170 KB would slow every cold start. */
async function loadDocument() {
  // biome-ignore lint/correctness/useImportExtensions: JSON, not TypeScript
  const { default: document } = await import("../docs/openapi.json", { with: { type: "json" } });
  return { document, version: digestOf(document) };
}
let loaded: Awaited<ReturnType<typeof loadDocument>> | undefined;

const GET = endpoint({
  summary: "This document: the routes of the app, as OpenAPI 3.1; 304 when If-None-Match names it.",
  auth: "anonymous",
  limits: ["default"],
  headers: ["If-None-Match"],
  replies: {
    200: { body: z.record(z.string(), z.unknown()), headers: ["ETag"] },
    304: { body: null, headers: ["ETag"] },
  },
  errors: [],
  async handle({ headers }) {
    loaded ??= await loadDocument();
    const { document, version } = loaded;
    const tag = { ETag: etagOf(version), "Cache-Control": "no-cache" };
    return isKnown(headers, version)
      ? new Reply(304, undefined, tag)
      : new Reply(200, document, tag);
  },
});

export default route("/api/openapi.json", { GET });

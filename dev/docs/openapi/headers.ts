import type { Endpoint, RequestHeader } from "../../../lib/http/endpoint.js";

const text = { type: "string" };
const requestHeader = (name: string, description: string, schema: object, required = false) => ({
  name,
  in: "header",
  required,
  description,
  schema,
});

type PipelineHeader =
  | "X-Correlation-ID"
  | "X-App-Version"
  | "Traceparent"
  | "Idempotency-Key"
  | "svix-id"
  | "svix-timestamp";

/** Headers that requests may carry, as components. */
export const parameters: Record<RequestHeader | PipelineHeader, object> = {
  "X-Correlation-ID": requestHeader(
    "X-Correlation-ID",
    "Names the request in logs and in the reply. Without it, or in another form, the server makes one.",
    { ...text, pattern: "^[A-Za-z0-9._-]{1,64}$", examples: ["app-7f3c"] },
  ),
  "X-App-Version": requestHeader(
    "X-App-Version",
    "The version of the app. One below the supported minimum gets 426.",
    { ...text, maxLength: 32, examples: ["1.4.0"] },
  ),
  Traceparent: requestHeader("Traceparent", "W3C Trace Context, to continue the caller's trace.", {
    ...text,
    examples: ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
  }),
  "Idempotency-Key": requestHeader(
    "Idempotency-Key",
    "Makes a repetition of this write safe: the same key gets the reply of the first write. At least 22 characters when signed out.",
    {
      ...text,
      pattern: '^("?)([!#-+\\--[\\]-~]{8,128})\\1$',
      examples: ["5c1e2b7a-9f0d-4e6b-8a3c-7d2f1e0b9a85"],
    },
  ),
  "If-Match": requestHeader(
    "If-Match",
    "The ETag of the version to replace, or `*`.",
    { ...text, examples: ['"1"'] },
    true,
  ),
  "If-None-Match": requestHeader("If-None-Match", "The ETags of the caller's cached versions.", {
    ...text,
    examples: ['"1"'],
  }),
  "Rotation-Id": requestHeader(
    "Rotation-Id",
    "The same for each attempt of one refresh, so that a lost reply can be requested again: at least 128 random bits.",
    { ...text, pattern: "^[!-~]{22,128}$", examples: ["5c1e2b7a-9f0d-4e6b-8a3c-7d2f1e0b9a85"] },
  ),
  "Device-Id": requestHeader("Device-Id", "The id of the caller's device.", {
    ...text,
    pattern: "^[A-Za-z0-9._-]{8,128}$",
    examples: ["0c9d2f4e-8f0a-4b7c-9a55-1d2e3f4a5b6c"],
  }),
  "svix-id": requestHeader(
    "svix-id",
    "The ID of the delivery, the same for each attempt.",
    text,
    true,
  ),
  "svix-timestamp": requestHeader("svix-timestamp", "Seconds since 1970.", text, true),
};

const reference = (kind: "parameters" | "headers", name: string) => ({
  $ref: `#/components/${kind}/${name}`,
});

export function requestHeadersOf({ auth, replay, signedBy, headers = [] }: Endpoint): object[] {
  const names: (keyof typeof parameters)[] = [
    ...headers,
    ...(replay ? (["Idempotency-Key"] as const) : []),
    ...(auth === "webhook" && !signedBy ? (["svix-id", "svix-timestamp"] as const) : []),
    ...(["X-Correlation-ID", "X-App-Version", "Traceparent"] as const),
  ];
  return names.map((name) => reference("parameters", name));
}

const replyHeader = (description: string, schema: object, required = false) => ({
  description,
  required,
  schema,
});

/** Headers that replies may carry, as components. */
export const headers: Record<string, object> = {
  "X-Correlation-ID": replyHeader("Names the request in logs.", text, true),
  ETag: replyHeader("The version of this document.", text, true),
  "Content-Disposition": replyHeader("The name of the file to save.", text, true),
  "Idempotent-Replayed": replyHeader(
    "`true` where an earlier write with this Idempotency-Key was repeated.",
    { type: "string", const: "true" },
  ),
  "WWW-Authenticate": replyHeader("The challenge of RFC 6750.", text, true),
  "Retry-After": replyHeader("Seconds to wait; always sent with 429.", {
    type: "string",
    pattern: "^[1-9]\\d*$",
  }),
  RateLimit: replyHeader("The limit with the smallest remaining share.", text),
  "RateLimit-Policy": replyHeader("The maximum and window of that limit.", text),
  "X-RateLimit-Limit": replyHeader("The maximum of that limit.", text),
  "X-RateLimit-Remaining": replyHeader("The remaining requests in its window.", text),
  "X-RateLimit-Reset": replyHeader("When its window ends, in seconds since 1970.", text),
};

const limitHeaders = Object.keys(headers).filter((name) => name.includes("RateLimit"));

/** The headers of a reply: those of the endpoint, and those that the pipeline adds. A shared one has only its own. */
export function replyHeadersOf(
  { limits }: Endpoint,
  own: readonly string[],
  { isShared = false } = {},
): Record<string, object> {
  const added = ["X-Correlation-ID", ...(limits.length > 0 ? limitHeaders : [])];
  const names = isShared ? own : [...own, ...added];
  return Object.fromEntries(names.map((name) => [name, reference("headers", name)]));
}

const errors = {
  BAD_REQUEST: [400, "Bad Request"],
  METHOD_NOT_ALLOWED: [405, "Method Not Allowed"],
  FUNCTION_PAYLOAD_TOO_LARGE: [413, "Request Entity Too Large"],
  URL_TOO_LONG: [414, "URI Too Long"],
  REQUEST_HEADER_TOO_LARGE: [431, "Request Header Fields Too Large"],
  FUNCTION_INVOCATION_FAILED: [500, "A server error has occurred"],
  FUNCTION_INVOCATION_TIMEOUT: [504, "An error occurred with your deployment"],
} as const;

export type PlatformError = keyof typeof errors;

/** The platform's plain-text error. */
export function errorReply(code: PlatformError, requestId: string): Response {
  const [status, message] = errors[code];
  return new Response(`${message}\n\n${code}\n\n${requestId}\n`, {
    status,
    headers: {
      "content-type": "text/plain; charset=utf-8",
      "cache-control": "public, max-age=0, must-revalidate",
      "x-vercel-error": code,
    },
  });
}

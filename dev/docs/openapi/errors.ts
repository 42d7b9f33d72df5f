import { STATUS_CODES } from "node:http";
import { AppError, catalogue, type ErrorCode } from "../../../lib/errors.js";
import { problemReply } from "../../../lib/http/problem.js";
import { errorsOf } from "../../../lib/http/step-errors.js";
import { replyHeadersOf } from "./headers.js";
import type { Operation } from "./routes.js";

interface ErrorResponse {
  /** Made of the status and the codes, so that operations with the same errors share it. */
  name: string;
  response: { description: string; headers: object; content: object };
}

/** The errors of an operation by status: which codes, with an example of each. */
export function errorResponses({ endpoint, route }: Operation): Record<number, ErrorResponse> {
  const codes = [...errorsOf(endpoint, route.template)].sort();
  const statuses = [...new Set(codes.map((code) => catalogue[code].status))];
  return Object.fromEntries(
    statuses.map((status) => {
      const ofStatus = codes.filter((code) => catalogue[code].status === status);
      const own = [
        ...(status === 401 ? ["WWW-Authenticate"] : []),
        ...(status === 429 || status === 503 ? ["Retry-After"] : []),
      ];
      const response = {
        description: `${STATUS_CODES[status]}: ${ofStatus.map((code) => `\`${code}\``).join(", ")}`,
        headers: replyHeadersOf(endpoint, own),
        content: { "application/problem+json": problemContent(status, ofStatus) },
      };
      const uncounted = endpoint.limits.length === 0 ? ["uncounted"] : [];
      return [status, { name: [status, ...ofStatus, ...uncounted].join("-"), response }];
    }),
  );
}

function problemContent(status: number, codes: ErrorCode[]) {
  const narrowed = { status: { const: status }, code: { enum: codes } };
  return {
    schema: { allOf: [{ $ref: "#/components/schemas/Problem" }, { properties: narrowed }] },
    examples: Object.fromEntries(
      codes.map((code) => [code, { $ref: `#/components/examples/${code}` }]),
    ),
  };
}

const field = { pointer: "/email", code: "too_big", message: "Too long." };

/** A problem of this code, as it is sent. */
export function problemExample(code: ErrorCode): object {
  const fields = code === "validation_failed" ? [field] : [];
  const { body } = problemReply(new AppError(code, { fields }), "app-7f3c");
  return { summary: catalogue[code].message, value: body };
}

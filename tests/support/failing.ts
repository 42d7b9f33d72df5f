import { AppError } from "../../lib/errors.js";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";

/** A route that fails with an unexpected error. */
export function failing(cause: unknown) {
  return route("/api/failing", {
    GET: endpoint({
      summary: "Fail.",
      auth: "anonymous",
      limits: [],
      replies: { 200: null },
      errors: cause instanceof AppError ? [cause.code] : [],
      handle: async () => {
        throw cause;
      },
    }),
  });
}

import { AppError } from "../errors.js";
import { endpoint } from "./endpoint.js";
import { route } from "./route.js";

const missing = endpoint({
  summary: "Refuse a path that no function has.",
  auth: "anonymous",
  limits: ["default"],
  // Scanners call IP addresses: not an attack on our hosts.
  anyHost: true,
  replies: {},
  errors: ["not_found"],
  handle: async () => {
    throw new AppError("not_found");
  },
});

/** One route, and so one metric label, for all of these paths. */
export const unmatched = route("unmatched", {
  GET: missing,
  POST: missing,
  PUT: missing,
  PATCH: missing,
  DELETE: missing,
});

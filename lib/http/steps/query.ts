import type { Call } from "../exchange.js";
import { requireStorable } from "./json-body.js";
import { validated } from "./validation.js";

/** Undefined when the endpoint declares none. Throws `malformed_url`, `validation_failed`. */
export function validQuery({ endpoint: { query }, url }: Call): unknown {
  if (!query) return undefined;
  const given = Object.fromEntries(url.searchParams);
  requireStorable(given, "malformed_url");
  return validated(query, given);
}

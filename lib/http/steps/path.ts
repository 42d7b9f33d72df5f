import { AppError } from "../../errors.js";
import { isStorable } from "./json-body.js";

/** The decoded `:name` segments, never from the query. Throws `malformed_url`. */
export function pathParams(template: string, url: URL): Record<string, string> {
  const params: Record<string, string> = {};
  if (!template.includes(":")) return params;
  const given = url.pathname.split("/");
  template.split("/").forEach((segment, index) => {
    if (segment.startsWith(":")) params[segment.slice(1)] = decoded(given[index] ?? "");
  });
  return params;
}

function decoded(segment: string): string {
  try {
    const value = decodeURIComponent(segment);
    if (isStorable(value)) return value;
  } catch (cause) {
    throw new AppError("malformed_url", { cause });
  }
  throw new AppError("malformed_url");
}

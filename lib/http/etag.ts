import { createHash } from "node:crypto";
import { AppError } from "../errors.js";

/** A strong entity tag (RFC 9110, section 8.8.3). */
export const etagOf = (version: number | string) => `"${version}"`;

/** A version computed from the content: SHA-256 of the JSON, in base64url. */
export const digestOf = (document: unknown): string =>
  createHash("sha256").update(JSON.stringify(document)).digest("base64url");

/** The numbers in `If-Match`, `any` for `*`; weak and other tags are left out. Throws `precondition_required` without it. */
export function requireIfMatch(headers: Headers): number[] | "any" {
  const given = headers.get("if-match");
  if (given === null) throw new AppError("precondition_required");
  if (given.trim() === "*") return "any";
  return tagsIn(given).flatMap((tag) => {
    const [, version] = /^"(\d{1,9})"$/.exec(tag) ?? [];
    return version === undefined ? [] : [Number(version)];
  });
}

/** Whether `If-None-Match` is `*` or names this version, weak or strong. */
export function isKnown(headers: Headers, version: number | string): boolean {
  const given = headers.get("if-none-match");
  if (given === null) return false;
  if (given.trim() === "*") return true;
  return tagsIn(given).some((tag) => tag.replace(/^W\//, "") === etagOf(version));
}

const tagsIn = (list: string) => list.split(",").map((tag) => tag.trim());

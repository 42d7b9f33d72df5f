import { createHash } from "node:crypto";
import { AppError } from "../errors.js";

/** A strong entity tag (RFC 9110, section 8.8.3). */
export const etagOf = (version: number | string) => `"${version}"`;

/** The version of a document that differs per caller. */
export const digestOf = (document: unknown): string =>
  createHash("sha256").update(JSON.stringify(document)).digest("base64url");

/** The versions in `If-Match`, `any` for `*`; a weak tag matches nothing. Throws `precondition_required`. */
export function requireIfMatch(headers: Headers): number[] | "any" {
  const given = headers.get("if-match");
  if (given === null) throw new AppError("precondition_required");
  if (given.trim() === "*") return "any";
  return tagsIn(given).flatMap((tag) => {
    const [, version] = /^"(\d{1,9})"$/.exec(tag) ?? [];
    return version === undefined ? [] : [Number(version)];
  });
}

/** Whether `If-None-Match` names this version. */
export function isKnown(headers: Headers, version: number | string): boolean {
  const given = headers.get("if-none-match");
  if (given === null) return false;
  if (given.trim() === "*") return true;
  return tagsIn(given).some((tag) => tag.replace(/^W\//, "") === etagOf(version));
}

const tagsIn = (list: string) => list.split(",").map((tag) => tag.trim());

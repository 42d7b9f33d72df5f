import { createHash } from "node:crypto";
import { AppError } from "../errors.js";

/** The strong entity tag (RFC 9110, 8.8.3) of a document: its version's number, or a hash of it. */
export const etagOf = (version: number | string) => `"${version}"`;

/** The version of a document that has no count of its own: what is told to each caller differently. */
export const digestOf = (document: unknown): string =>
  createHash("sha256").update(JSON.stringify(document)).digest("base64url");

/**
 * The versions that `If-Match` names; `any` for `*`. A weak tag and one that is not ours match nothing.
 * Throws `precondition_required` when there is none: who does not say what they replace might undo
 * what another device did.
 */
export function requireIfMatch(headers: Headers): number[] | "any" {
  const given = headers.get("if-match");
  if (given === null) throw new AppError("precondition_required");
  if (given.trim() === "*") return "any";
  return tagsIn(given).flatMap((tag) => {
    const [, version] = /^"(\d{1,9})"$/.exec(tag) ?? [];
    return version === undefined ? [] : [Number(version)];
  });
}

/** Whether `If-None-Match` says that the caller has this version already. */
export function isKnown(headers: Headers, version: number | string): boolean {
  const given = headers.get("if-none-match");
  if (given === null) return false;
  if (given.trim() === "*") return true;
  return tagsIn(given).some((tag) => tag.replace(/^W\//, "") === etagOf(version));
}

const tagsIn = (list: string) => list.split(",").map((tag) => tag.trim());

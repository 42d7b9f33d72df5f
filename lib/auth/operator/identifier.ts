import * as z from "zod";
import { canonicalAddress } from "../../ip-address.js";
import { canonicalEmail } from "../../user/email-address.js";

export const IdentifierKind = z.enum(["correlationId", "userId", "sessionId", "email", "ip"]);
export type IdentifierKind = z.infer<typeof IdentifierKind>;

/** What a text that an operator typed can be, by its form alone; empty for none of these. Every UUID can also be a correlation ID. */
export function identify(text: string): IdentifierKind[] {
  if (canonicalAddress(text) !== undefined) return ["ip"];
  if (text.includes("@")) return canonicalEmail(text) === null ? [] : ["email"];
  return [
    ...(z.uuid().safeParse(text).success ? (["userId"] as const) : []),
    ...(/^[\w-]{22}$/.test(text) ? (["sessionId"] as const) : []),
    ...(/^[A-Za-z0-9._-]{1,64}$/.test(text) ? (["correlationId"] as const) : []),
  ];
}

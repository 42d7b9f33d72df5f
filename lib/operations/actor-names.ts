import { inArray } from "drizzle-orm";
import * as z from "zod";
import { maskedEmail } from "../auth/operator/subject.js";
import type { Context } from "../context.js";
import { users } from "../db/schema/accounts.js";
import { operatorTokens } from "../db/schema/operators.js";

/** A name by actor ID: the name and masked address of a person, the name of a token. The ID itself for an erased account. */
export async function actorNames(
  { db }: Context,
  ids: readonly string[],
): Promise<(id: string) => string> {
  const userIds = ids.filter((id) => z.uuid().safeParse(id).success);
  const [people, tokens] = await db.batch([
    db
      .select({ id: users.id, name: users.name, email: users.email })
      .from(users)
      .where(inArray(users.id, [...new Set(userIds)])),
    db
      .select({ id: operatorTokens.id, name: operatorTokens.name })
      .from(operatorTokens)
      .where(inArray(operatorTokens.id, [...new Set(ids)])),
  ]);
  const names = new Map([
    ["break_glass", "break-glass token"],
    ...tokens.map(({ id, name }) => [id, `token ${name}`] as const),
    ...people.map(({ id, name, email }) => [id, personName(name, maskedEmail(email))] as const),
  ]);
  return (id) => names.get(id) || id;
}

function personName(name: string, email: string | null): string {
  if (!email) return name;
  return name ? `${name} (${email})` : email;
}

import type { Route } from "../../lib/http/route.js";
import { type Answer, call } from "./call.js";
import { aUser, type Person } from "./people.js";
import { type Enrolled, enrol, freshToken, resetUsedStep } from "./second-factor.js";
import type { Stores } from "./stores.js";

export interface OperatorPerson extends Person {
  app: Enrolled;
  /** An access token with a fresh second factor. */
  token: string;
}

export const breakGlassToken = "break-glass-token-of-the-tests";

/** Create an operator who is logged in with a second factor. */
export async function anOperator(
  stores: Stores,
  role: "operator" | "admin" = "operator",
): Promise<OperatorPerson> {
  const person = await aUser();
  await stores.sql("update users set role = $2 where id = $1", person.user.id, role);
  const app = await enrol(stores, person);
  const token = await freshToken(person, app.code());
  await resetUsedStep(stores, person);
  return { ...person, app, token };
}

/** Make all operators ordinary users, so that the next test starts with none. */
export async function demoteOperators(stores: Stores): Promise<void> {
  await stores.sql("update users set role = 'user' where role <> 'user'");
}

/** Call an operator route with a reason. */
export function operate(
  route: Route,
  method: "POST" | "PUT",
  token: string,
  body: object,
): Promise<Answer> {
  return call(route, method, { token, body: { reason: "a test", ...body } });
}

import { Secret, TOTP } from "otpauth";
import reauthenticate from "../../api/auth/reauthenticate.js";
import confirm from "../../api/auth/totp/confirm.js";
import totp from "../../api/auth/totp/index.js";
import { call } from "./call.js";
import { bindEmail, type Person } from "./people.js";
import type { Stores } from "./stores.js";

/** A simulated authenticator app. */
export interface Authenticator {
  secret: string;
  /** The current code, or the code some steps later. */
  code(stepsLater?: number): string;
  /** Six digits that are not a code of the current or a near step. */
  wrongCode(): string;
}

export interface Enrolled extends Authenticator {
  recoveryCodes: string[];
}

/** An authenticator app with this secret. */
export function authenticator(secret: string): Authenticator {
  const code = (stepsLater = 0) =>
    TOTP.generate({
      secret: Secret.fromBase32(secret),
      timestamp: Date.now() + stepsLater * 30_000,
    });
  const near = () => Array.from({ length: 11 }, (_, index) => code(index - 5));
  return {
    secret,
    code,
    wrongCode: () => ["000000", "111111"].find((digits) => !near().includes(digits)) ?? "222222",
  };
}

/** Enrol a second factor for a user, with the current code still unused. */
export async function enrol(stores: Stores, person: Person): Promise<Enrolled> {
  await bindEmail(stores, person);
  const token = person.accessToken;
  const begun = await call(totp, "POST", { token });
  if (begun.status !== 200) throw new Error(`Enrolling returned ${begun.status}`);
  const app = authenticator(begun.body.secret);
  const confirmed = await call(confirm, "POST", { token, body: { code: app.code() } });
  if (confirmed.status !== 200) throw new Error(`Confirming returned ${confirmed.status}`);
  await resetUsedStep(stores, person);
  return { ...app, recoveryCodes: confirmed.body.recoveryCodes };
}

/** Make the current code usable again, as if several TOTP steps had passed. */
export async function resetUsedStep(stores: Stores, { user }: Person): Promise<void> {
  await stores.sql(
    "update second_factors set last_used_step = last_used_step - 10 where user_id = $1",
    user.id,
  );
}

/** Reauthenticate with this code, and return the new access token. */
export async function freshToken(person: Person, otp: string): Promise<string> {
  const answer = await call(reauthenticate, "POST", { token: person.accessToken, body: { otp } });
  if (answer.status !== 200) throw new Error(`Reauthenticating returned ${answer.status}`);
  return answer.body.accessToken;
}

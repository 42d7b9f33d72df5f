import { Secret, TOTP } from "otpauth";
import { normalizePastedCode } from "../../crypto/pasted-code.js";

/** RFC 6238, with the parameters that every authenticator app supports. */
const parameters = { algorithm: "SHA1", digits: 6, period: 30 } as const;
/** One step early or late, for clock differences and typing time (RFC 6238, 5.2). */
const windowSteps = 1;
const secretBytes = 20;

/** 160 random bits in base32 (RFC 4226). */
export function newTotpSecret(): string {
  return new Secret({ size: secretBytes }).base32;
}

export function otpauthUrl(secret: string, label: string): string {
  const totp = new TOTP({ ...parameters, issuer: "Linguamate", label, secret });
  return totp.toString();
}

/** The time step of the code; null when it is not valid now. */
export function totpStep(secret: string, code: string, now: Date): number | null {
  const timestamp = now.getTime();
  const validated = TOTP.validate({
    ...parameters,
    secret: Secret.fromBase32(secret),
    token: code,
    timestamp,
    window: windowSteps,
  });
  if (validated === null) return null;
  return TOTP.counter({ period: parameters.period, timestamp }) + validated;
}

/** The six digits of a pasted code, or null. */
export function parseTotpCode(typed: string): string | null {
  const digits = normalizePastedCode(typed);
  return /^\d{6}$/.test(digits) ? digits : null;
}

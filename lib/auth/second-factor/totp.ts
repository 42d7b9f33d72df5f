import { Secret, TOTP } from "otpauth";

/** RFC 6238 as every authenticator app has it: SHA-1, six digits, thirty seconds. */
const parameters = { algorithm: "SHA1", digits: 6, period: 30 } as const;
/** One step early or late: clocks differ, and typing takes a while (RFC 6238, 5.2). */
const windowSteps = 1;
const secretBytes = 20;

/** 160 random bits in base32, the length that RFC 4226 recommends. */
export function newTotpSecret(): string {
  return new Secret({ size: secretBytes }).base32;
}

/** What an authenticator app reads from a QR code. `label` is shown there beside the app's name. */
export function otpauthUrl(secret: string, label: string): string {
  const totp = new TOTP({ ...parameters, issuer: "Linguamate", label, secret });
  return totp.toString();
}

/** The time step that the code belongs to, or null when it is not one of the three that are good now. */
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

/** A code's six digits, as apps show them in groups, or null when it is none. */
export function readTotpCode(typed: string): string | null {
  const digits = typed.replace(/\s/g, "");
  return /^\d{6}$/.test(digits) ? digits : null;
}

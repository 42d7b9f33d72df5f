import { hash, parseOptions, verify } from "@node-rs/argon2";
import type { FieldError } from "../../errors.js";
import { isCommonPassword } from "./common-passwords.js";
import { withHashPermit } from "./hash-semaphore.js";
import { passwordLengthProblem } from "./password-length.js";

/** argon2id, the first choice of OWASP's Password Storage Cheat Sheet: 19 MiB, 2 passes, 1 lane. */
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** A hash of a random password with the same parameters, for unknown accounts. */
const dummyHash =
  "$argon2id$v=19$m=19456,t=2,p=1$8MDdU02GQTOxbnalEQ6MMQ$Qd/S3Ml/5zyNEze6tE9nvg845glmtjrimyU6vPsa7+U";

/** A PHC string. Throws `service_unavailable` when too many hashes are waiting. */
export function hashPassword(password: string): Promise<string> {
  return withHashPermit(() => hash(password.normalize("NFC"), parameters));
}

/** Always computes one hash, so that the time does not reveal whether there is an account. Throws as `hashPassword` does. */
export async function passwordMatches(
  passwordHash: string | null,
  password: string,
): Promise<boolean> {
  const matches = await withHashPermit(() =>
    verify(passwordHash ?? dummyHash, password.normalize("NFC")),
  );
  return matches && passwordHash !== null;
}

/** True when the parameters differ from today's: hash again at the next login. */
export function isOutdated(passwordHash: string): boolean {
  const { memoryCost, timeCost, parallelism } = parseOptions(passwordHash);
  return (
    !passwordHash.startsWith("$argon2id$v=19$") ||
    memoryCost !== parameters.memoryCost ||
    timeCost !== parameters.timeCost ||
    parallelism !== parameters.parallelism
  );
}

/** The first violation, or null. No composition rules (NIST SP 800-63B 3.1.1.2). `email` is canonical. */
export function findPasswordViolation(password: string, email: string): FieldError | null {
  const lengthProblem = passwordLengthProblem(password);
  const normalizedPassword = normalized(password);
  const [localPart = ""] = normalized(email).split("@");
  if (lengthProblem) return refusal("password_length", lengthProblem);
  if (isCommonPassword(password)) {
    return refusal("password_common", "This password is too common. Choose another one.");
  }
  if (normalizedPassword.includes("linguamate")) {
    return refusal("password_app_name", "The password must not contain the name of the app.");
  }
  if (localPart.length >= 4 && normalizedPassword.includes(localPart)) {
    return refusal("password_email", "The password must not contain your e-mail address.");
  }
  return null;
}

const normalized = (text: string) => text.toLowerCase().normalize("NFC");

const refusal = (code: string, message: string) => ({ pointer: "/password", code, message });

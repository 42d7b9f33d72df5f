/** Body fields with secret values. */
const secretFields = new Set([
  "password",
  "newPassword",
  "currentPassword",
  "code",
  "token",
  "cancelToken",
  "otpauthUrl",
  "secret",
  "recoveryCodes",
  "accessToken",
  "refreshToken",
  "email",
]);
/** Shorter values, such as six-digit codes, also appear by chance. */
const lengthMin = 8;

/** An operator token is also named by its ID, which is not secret. */
const tokenId = /^[\da-f]{16}$/;

const given = new Set<string>();
const records: string[] = [];

/** Remember the passwords, tokens, codes and addresses of a request or reply, which no record may contain. */
export function rememberSecrets(body: unknown, bearer?: string): void {
  if (bearer !== undefined) remember(bearer);
  // A byte array has no fields, but millions of entries.
  if (typeof body !== "object" || body === null || ArrayBuffer.isView(body)) return;
  for (const [field, value] of Object.entries(body)) {
    if (secretFields.has(field)) for (const one of [value].flat()) remember(one);
  }
}

function remember(value: unknown): void {
  if (typeof value === "string" && value.length >= lengthMin && !tokenId.test(value)) {
    given.add(value.toLowerCase());
  }
}

/** Keep a log line or a table row, to search it after the tests of the file. */
export function record(text: string): void {
  records.push(text.toLowerCase());
}

/** Return the secrets that are in a record, and clear secrets and records. */
export function secretsInRecords(): string[] {
  const text = records.join("\n");
  const words = new Set(text.split(/[^\w.@+%$-]+/));
  const isFound = (secret: string) =>
    words.has(secret) || (/[^\w.@+%$-]/.test(secret) && text.includes(secret));
  const found = [...given].filter(isFound);
  records.length = 0;
  given.clear();
  return found;
}

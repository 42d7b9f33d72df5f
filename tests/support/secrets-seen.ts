/** Fields of bodies whose values open something. */
const secretFields = new Set([
  "password",
  "newPassword",
  "currentPassword",
  "code",
  "token",
  "otpauthUrl",
  "secret",
  "recoveryCodes",
  "accessToken",
  "refreshToken",
  "email",
]);
/** What is shorter, such as a code of six digits, is also found by chance. */
const lengthMin = 8;

const given = new Set<string>();
const records: string[] = [];

/** Remember what a caller gave or got that no record may hold: passwords, tokens, codes, addresses. */
export function rememberSecrets(body: unknown, bearer?: string): void {
  if (bearer !== undefined) remember(bearer);
  // The bytes of a file have no fields, but millions of entries.
  if (typeof body !== "object" || body === null || ArrayBuffer.isView(body)) return;
  for (const [field, value] of Object.entries(body)) {
    if (secretFields.has(field)) for (const one of [value].flat()) remember(one);
  }
}

function remember(value: unknown): void {
  if (typeof value === "string" && value.length >= lengthMin) given.add(value.toLowerCase());
}

/** Keep a line of the log, or the rows of a table, to be searched when the file's tests are over. */
export function record(text: string): void {
  records.push(text.toLowerCase());
}

/** The secrets that stand in a record, of which all are then forgotten. */
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

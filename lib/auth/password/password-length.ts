const charactersMin = 8;
const charactersMax = 128;

/** A sentence for the user; undefined when the length is right. Counts code points (NIST SP 800-63B 3.1.1.2). */
export function passwordLengthProblem(password: string): string | undefined {
  const characters = [...password.normalize("NFC")].length;
  return characters < charactersMin || characters > charactersMax
    ? `The password must have ${charactersMin} to ${charactersMax} characters.`
    : undefined;
}

/** For the schemas: leaves room for the white space, dashes and invisible characters around a pasted code. */
export const pastedCodeMax = 128;

/** A token as copied from a mail: NFKC, dashes as "-", without white space, invisible characters and trailing punctuation. */
export function normalizePastedToken(pasted: string): string {
  return pasted
    .normalize("NFKC")
    .replace(/[\s\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, "")
    .replace(/[\p{Pd}\u2212]/gu, "-")
    .replace(/\p{P}+$/u, "");
}

/** The same for a code: also without dashes, and with digits of any script as ASCII digits. */
export function normalizePastedCode(pasted: string): string {
  return normalizePastedToken(pasted)
    .replace(/-/g, "")
    .replace(/\p{Nd}/gu, asciiDigit);
}

/** Unicode encodes the digits of a script in order, in runs of ten. */
function asciiDigit(digit: string): string {
  const codePoint = digit.codePointAt(0) ?? 0;
  let zero = codePoint;
  while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero -= 1;
  return String((codePoint - zero) % 10);
}

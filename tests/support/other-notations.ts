const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const withTrailingBit = (part: string) =>
  part.slice(0, -1) + alphabet[alphabet.indexOf(part.at(-1) ?? "") | 1];

/** Other texts for the bytes of a base64url text whose last character has unused bits. */
export const otherNotations: [string, (part: string) => string][] = [
  ["a trailing bit", withTrailingBit],
  ["padding", (part) => part + "=".repeat((4 - (part.length % 4)) % 4)],
  ["too much padding", (part) => `${part}===`],
  ["a letter more", (part) => `${part}A`],
  ["a line break", (part) => `${part.slice(0, 4)}\n${part.slice(4)}`],
  ["a space", (part) => `${part.slice(0, 4)} ${part.slice(4)}`],
  ["a line break at its end", (part) => `${part}\n`],
  ["a NUL", (part) => `${part}\0`],
  ["a letter beyond ASCII", (part) => `${part}\uff21`],
];

export const inBase64 = (part: string) => part.replaceAll("-", "+").replaceAll("_", "/");

/** Until the last part has a character that base64 writes in another way. */
export function withSpecialCharacter(make: () => string): string {
  for (;;) {
    const made = make();
    if (/[-_]/.test(made.slice(-42))) return made;
  }
}

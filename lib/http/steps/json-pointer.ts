const nameLengthMax = 64;

/** A JSON pointer (RFC 6901); long names are cut, because the sender chose them. */
export function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${escaped(String(part).slice(0, nameLengthMax))}`).join("");
}

const escaped = (name: string) => name.replaceAll("~", "~0").replaceAll("/", "~1");

const nameLengthMax = 64;

/** A pointer (RFC 6901) to a part of a body. Long names, which the sender chose, are cut. */
export function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${escaped(String(part).slice(0, nameLengthMax))}`).join("");
}

const escaped = (name: string) => name.replaceAll("~", "~0").replaceAll("/", "~1");

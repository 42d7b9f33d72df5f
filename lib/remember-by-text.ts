const entriesMax = 20_000;

/** Memoize by text, such as an IP address, what costs more than a lookup. Forgets everything when it is full. */
export function rememberByText<V>(make: (key: string) => V): (key: string) => V {
  const known = new Map<string, V>();
  return (key) => {
    const found = known.get(key);
    if (found !== undefined) return found;
    if (known.size === entriesMax) known.clear();
    const created = make(key);
    // A key that is a part of a header would keep the whole header in memory.
    known.set(Buffer.from(key).toString(), created);
    return created;
  };
}

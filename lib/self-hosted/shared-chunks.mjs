// Runs in Node's module loader thread, without TypeScript. Chunks are named by content: load each name once.
const chunks = new Map();

export async function resolve(specifier, context, nextResolve) {
  const resolved = await nextResolve(specifier, context);
  const name = /\/(chunk-[A-Z0-9]+\.mjs)$/.exec(resolved.url)?.[1];
  if (name === undefined) return resolved;
  if (!chunks.has(name)) chunks.set(name, resolved.url);
  return { ...resolved, url: chunks.get(name) };
}

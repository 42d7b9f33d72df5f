// Runs in the thread of Node.js' module loader, which knows no TypeScript. Chunks are named by their
// content: of equal copies in several functions, the first that was found is loaded for all.
const chunks = new Map();

export async function resolve(specifier, context, nextResolve) {
  const resolved = await nextResolve(specifier, context);
  const name = /\/(chunk-[A-Z0-9]+\.mjs)$/.exec(resolved.url)?.[1];
  if (name === undefined) return resolved;
  if (!chunks.has(name)) chunks.set(name, resolved.url);
  return { ...resolved, url: chunks.get(name) };
}

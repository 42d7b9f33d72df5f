/** @hono/node-server puts its own in their places. */
const native = Object.getOwnPropertyDescriptors(globalThis);

/** Forget what our code and the server's library keep on `globalThis`. */
export function restoreGlobals(): void {
  const { Request, Response } = native;
  Object.defineProperties(globalThis, { Request, Response });
  for (const slot of Object.getOwnPropertySymbols(globalThis)) {
    if (slot.description?.startsWith("linguamate.")) Reflect.deleteProperty(globalThis, slot);
  }
}

/** The originals; @hono/node-server replaces Request and Response. */
const native = Object.getOwnPropertyDescriptors(globalThis);

/** Remove the state that our code and @hono/node-server keep on `globalThis`. */
export function restoreGlobals(): void {
  const { Request, Response } = native;
  Object.defineProperties(globalThis, { Request, Response });
  for (const slot of Object.getOwnPropertySymbols(globalThis)) {
    if (slot.description?.startsWith("linguamate.")) Reflect.deleteProperty(globalThis, slot);
  }
}

/** A message for `EADDRINUSE`; undefined for other errors. */
export function explainPortInUse(error: unknown, portOf: () => number): string | undefined {
  const { code, address } = error as NodeJS.ErrnoException & { address?: string };
  if (code !== "EADDRINUSE") return undefined;
  const port = portOf();
  return [
    `Error: EADDRINUSE: address already in use ${address ?? "::"}:${port}`,
    // Without the state, lsof also prints clients of the port.
    `Free the port:      lsof -ti tcp:${port} -sTCP:LISTEN | xargs kill`,
    "Or use another one: change PORT in .env",
  ].join("\n");
}

import net from "node:net";

/** Best effort, 2 s at most. Never rejects. Source: PostgreSQL, "Canceling Requests in Progress". */
export function cancelStatement(session: {
  host: string;
  port: number;
  processID: number | null;
  secretKey: number | null;
}): Promise<void> {
  const { host, port, processID, secretKey } = session;
  if (processID === null || secretKey === null) return Promise.resolve();
  const request = Buffer.alloc(16);
  request.writeInt32BE(16, 0);
  request.writeInt32BE(80_877_102, 4);
  request.writeInt32BE(processID, 8);
  request.writeInt32BE(secretKey, 12);
  const socket = host.startsWith("/")
    ? net.connect(`${host}/.s.PGSQL.${port}`)
    : net.connect(port, host);
  socket.on("error", () => {});
  socket.setTimeout(2000, () => socket.destroy());
  // Wait for the server to close: a pooler drops the request if the client closes first.
  socket.write(request);
  socket.resume();
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

import type { IncomingMessage, ServerResponse } from "node:http";
import { type BodyLimits, bodyLimits } from "../../body-limits.js";

/** The platform's limit for a body whose length is stated; any other is counted by the function that reads it. */
const bodyBytesMax = 4.5 * 1024 * 1024;

export function isBodyTooLarge({ headers }: IncomingMessage): boolean {
  return Number(headers["content-length"] ?? 0) > bodyBytesMax;
}

/**
 * Give a request a body that is read from the connection only when the function asks for more, and that
 * can be cancelled without an end to the connection. The adapter's own does neither.
 */
export function streamBody(request: Request, incoming: IncomingMessage): void {
  if (request.method === "GET" || request.method === "HEAD") return;
  let body: ReadableStream<Uint8Array> | undefined;
  const get = () => {
    body ??= bodyOf(incoming);
    return body;
  };
  Object.defineProperty(request, "body", { get });
}

function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  let stop = () => {};
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        stop();
        const finish = (settle: () => void) => {
          stop();
          settle();
        };
        const onReadable = () => {
          // All that has come in, as one chunk, however many the sender made of it.
          const bytes: Buffer | null = incoming.read();
          if (bytes !== null) finish(() => controller.enqueue(bytes));
        };
        const onEnd = () => finish(() => controller.close());
        const onClose = () => finish(() => controller.error(incoming.errored));
        stop = () => {
          incoming.off("readable", onReadable).off("end", onEnd).off("close", onClose);
        };
        incoming.on("readable", onReadable).on("end", onEnd).on("close", onClose);
        if (incoming.readableEnded) onEnd();
        else if (incoming.destroyed) onClose();
        else onReadable();
      },
      cancel: () => stop(),
    },
    { highWaterMark: 0 },
  );
}

/** Whether a function reads a body that is still coming in. */
export function isBodyAwaited(incoming: IncomingMessage): boolean {
  return !incoming.complete && incoming.listenerCount("readable") > 0;
}

/**
 * Where a reply is sent before the body is in, read on and discard the rest within the limits, then
 * close: a client that is still sending could not read its reply from a connection that is reset
 * (RFC 9112, section 9.6).
 */
export function discardUnreadBody(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { silenceMsMax, arrivalMsMax }: BodyLimits = bodyLimits,
): void {
  outgoing.once("prefinish", () => {
    if (incoming.complete || incoming.destroyed) return;
    const { socket } = incoming;
    const destroy = () => socket.destroy();
    // Of a request that nobody reads Node.js discards the bytes without an event.
    let { bytesRead } = socket;
    const silence = setTimeout(() => {
      if (socket.bytesRead === bytesRead) return destroy();
      bytesRead = socket.bytesRead;
      silence.refresh();
    }, silenceMsMax);
    const arrival = setTimeout(destroy, arrivalMsMax);
    // Node.js calls it once the reply is sent, where the connection is not kept.
    socket.destroySoon = () => {
      socket.end();
      incoming.once("end", destroy);
    };
    const stop = () => {
      clearTimeout(silence);
      clearTimeout(arrival);
      socket.off("close", stop);
      Reflect.deleteProperty(socket, "destroySoon");
    };
    incoming.once("end", stop);
    socket.once("close", stop);
    outgoing.once("finish", () => {
      incoming.removeAllListeners("readable");
      incoming.resume();
    });
  });
}

import type { IncomingMessage, ServerResponse } from "node:http";
import { type BodyLimits, bodyLimits } from "../../body-limits.js";

/** The platform's limit for Content-Length; other bodies are limited by their reader. */
const bodyBytesMax = 4.5 * 1024 * 1024;

export function isBodyTooLarge({ headers }: IncomingMessage): boolean {
  return Number(headers["content-length"] ?? 0) > bodyBytesMax;
}

/** RFC 9112, section 6.3: a request without these fields has no body. */
export function mayHaveBody({ headers }: IncomingMessage): boolean {
  return headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
}

/** Replaces the adapter's body by one that is read on demand, and cancellable without closing the connection. */
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
          // All received bytes as one chunk.
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

/** A function is waiting for more of the body. */
export function isBodyAwaited(incoming: IncomingMessage): boolean {
  return !incoming.complete && incoming.listenerCount("readable") > 0;
}

/**
 * After an early reply, read and discard the rest of the body within the limits: on a reset connection the client could
 * not read the reply (RFC 9112, section 9.6).
 */
export function discardUnreadBody(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { idleMsMax, totalMsMax }: BodyLimits = bodyLimits,
): void {
  outgoing.once("prefinish", () => {
    if (incoming.complete || incoming.destroyed) return;
    const { socket } = incoming;
    const destroy = () => socket.destroy();
    // Node.js discards unread bytes without an event.
    let { bytesRead } = socket;
    const silence = setTimeout(() => {
      if (socket.bytesRead === bytesRead) return destroy();
      bytesRead = socket.bytesRead;
      silence.refresh();
    }, idleMsMax);
    const arrival = setTimeout(destroy, totalMsMax);
    // Called by Node.js after the reply if the connection is not kept alive.
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

import type { AppError } from "../errors.js";
import { toAppError } from "./problem.js";

/** Why a body is incomplete: our failure, or, without one, a connection that was closed. */
export interface BodyCut {
  error?: AppError;
}

export interface StreamedBody {
  stream: ReadableStream<Uint8Array>;
  /** Resolves when the last part was handed over (undefined), or the body was cut. */
  ended: Promise<BodyCut | undefined>;
}

/** Each part is made when the previous one has been sent. */
export function streamedBody(parts: AsyncGenerator<string, void>): StreamedBody {
  const encoder = new TextEncoder();
  let end: (cut?: BodyCut) => void = () => {};
  const ended = new Promise<BodyCut | undefined>((resolve) => {
    end = resolve;
  });
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await parts.next();
          if (!done) return controller.enqueue(encoder.encode(value));
          controller.close();
          end();
        } catch (error) {
          end({ error: toAppError(error) });
          controller.error(error);
        }
      },
      async cancel() {
        end({});
        await parts.return();
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, ended };
}

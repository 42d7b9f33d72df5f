import type { Requester } from "@upstash/redis";
import type { RedisCall } from "../platform.js";

interface Gathering {
  commands: unknown[];
  waiting: { count: number; resolve(replies: unknown): void; reject(error: unknown): void }[];
}

const commandsMax = 200;

/**
 * The `isGathered` pipelines of one turn of the event loop are sent as one, because a call costs more than its commands.
 * They fail together, so their replies must be small.
 */
export function withGatheredPipelines(requester: Requester): Requester {
  let open: Gathering | undefined;

  function gather(commands: unknown[]): Promise<unknown> {
    if (open && open.commands.length + commands.length > commandsMax) open = undefined;
    open ??= begin();
    const { commands: all, waiting } = open;
    all.push(...commands);
    return new Promise((resolve, reject) => {
      waiting.push({ count: commands.length, resolve, reject });
    });
  }

  function begin(): Gathering {
    const gathering: Gathering = { commands: [], waiting: [] };
    setImmediate(() => {
      if (open === gathering) open = undefined;
      void send(gathering);
    });
    return gathering;
  }

  async function send({ commands, waiting }: Gathering): Promise<void> {
    try {
      const replies = (await requester.request({ path: ["pipeline"], body: commands })) as unknown;
      let from = 0;
      for (const { count, resolve } of waiting) {
        resolve((replies as unknown[]).slice(from, from + count));
        from += count;
      }
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }

  return Object.assign(Object.create(requester) as Requester, {
    request: (call: RedisCall) =>
      call.isGathered ? gather(call.body as unknown[]) : requester.request(call),
  });
}

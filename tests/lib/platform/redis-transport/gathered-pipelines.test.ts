import type { Requester } from "@upstash/redis";
import { expect, it } from "vitest";
import type { RedisCall } from "../../../../lib/platform/platform.js";
import { withGatheredPipelines } from "../../../../lib/platform/redis-transport/gathered-pipelines.js";

/** Replies to each command with its last argument. */
function recordedRequester(reply = async (body: unknown[]) => body.map(echoOf)) {
  const calls: RedisCall[] = [];
  const requester = {
    request(call: RedisCall) {
      calls.push(call);
      return reply(call.body as unknown[]);
    },
  };
  return { calls, gathered: withGatheredPipelines(requester as unknown as Requester) };
}

const echoOf = (command: unknown) => ({ result: (command as unknown[]).at(-1) });
const pipeline = (...texts: string[]): RedisCall => ({
  path: ["pipeline"],
  isGathered: true,
  body: texts.map((text) => ["ECHO", text]),
});

it("sends the pipelines of one turn together, and gives each its own replies in order", async () => {
  const { calls, gathered } = recordedRequester();
  const replies = await Promise.all([
    gathered.request(pipeline("a", "b")),
    gathered.request(pipeline("c")),
    gathered.request(pipeline("d", "e")),
  ]);
  expect(calls).toHaveLength(1);
  expect(replies).toEqual([
    [{ result: "a" }, { result: "b" }],
    [{ result: "c" }],
    [{ result: "d" }, { result: "e" }],
  ]);
});

it("sends those of another turn alone", async () => {
  const { calls, gathered } = recordedRequester();
  await gathered.request(pipeline("a"));
  await gathered.request(pipeline("b"));
  expect(calls.map(({ body }) => body)).toEqual([[["ECHO", "a"]], [["ECHO", "b"]]]);
});

it("gathers at most 200 commands", async () => {
  const { calls, gathered } = recordedRequester();
  const long = pipeline(...Array.from({ length: 150 }, (_, at) => String(at)));
  const [one, other] = await Promise.all([gathered.request(long), gathered.request(long)]);
  expect(calls).toHaveLength(2);
  expect(other).toEqual(one);
});

it("sends other calls at once", async () => {
  const { calls, gathered } = recordedRequester();
  const single: RedisCall = { body: ["PING"] };
  const alone = { ...pipeline("a"), isGathered: false };
  void gathered.request(single);
  void gathered.request(alone);
  expect(calls).toEqual([single, alone]);
});

it("rejects all when the call fails", async () => {
  const failure = new Error("lost");
  const { gathered } = recordedRequester(async () => {
    throw failure;
  });
  const outcomes = await Promise.allSettled([
    gathered.request(pipeline("a")),
    gathered.request(pipeline("b")),
  ]);
  expect(outcomes).toEqual([
    { status: "rejected", reason: failure },
    { status: "rejected", reason: failure },
  ]);
});

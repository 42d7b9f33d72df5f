import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { openEmbeddedRedis } from "../../../lib/self-hosted/embedded-stores/redis.js";
import { recorded, repliesTo } from "./generated-commands.js";

it("the embedded Redis gives the replies that the real one gave", async () => {
  const lines = readFileSync(recorded.file, "utf8").split("\n");
  const { backend, close } = await openEmbeddedRedis({});
  const replies = await repliesTo(
    backend,
    lines.map((line) => JSON.parse(line.split(" → ", 1).join())),
  );
  await close();
  expect(replies).toEqual(lines);
});

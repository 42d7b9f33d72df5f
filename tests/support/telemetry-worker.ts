/**
 * One process of the chaos test: it serves requests (`produce`) or drains their events (`drain`), with the
 * deployed code, until SIGTERM or a kill. It writes the log and the result of each batch to stdout.
 */

import { randomUUID } from "node:crypto";
import { writeSync } from "node:fs";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Requester } from "@upstash/redis";
import * as z from "zod";
import { endpoint } from "../../lib/http/endpoint.js";
import { route } from "../../lib/http/route.js";
import { platform } from "../../lib/platform/installed.js";
import { drainEvents } from "../../lib/telemetry/drain.js";
import type { Entry } from "../../lib/telemetry/stream.js";
import { aContext } from "./context.js";
import { settled } from "./wait-until.js";
import { startWorker } from "./worker-process.js";

/** A line about a batch: before it is sent, or its result. */
export interface BatchLine {
  evt: "batch_sent" | "batch_taken" | "batch_failed";
  instance: string;
  seq: number;
  events: number;
}

const [role, databaseUrl, redisUrl] = process.argv.slice(2);
const clients = 12;

const worker = startWorker(databaseUrl, redisUrl);
Object.assign(platform(), { redis: loggingBatches(platform().redis) });
await (role === "drain" ? drain() : produce());
write({ evt: "ended" });
process.exit(0);

async function produce(): Promise<void> {
  const testRoute = route("/api/test/asked", {
    GET: endpoint({
      summary: "Replies after a delay, and fails at random.",
      auth: "anonymous",
      limits: [],
      replies: { 200: z.object({}) },
      errors: [],
      handle: async () => {
        await sleep(Math.random() * 20);
        if (Math.random() < 0.1) throw new Error("A random failure.");
        return {};
      },
    }),
  });
  async function keepRequesting(client: number): Promise<void> {
    while (!worker.isOver()) {
      const headers = {
        "x-correlation-id": randomUUID(),
        "x-vercel-forwarded-for": `10.${client}.0.1`,
      };
      await testRoute.fetch(new Request("http://localhost/api/test/asked", { headers }));
      await sleep(Math.random() * 60);
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, client) => keepRequesting(client)));
  await settled();
}

async function drain(): Promise<void> {
  while (!worker.isOver()) {
    await drainEvents(aContext(), { budgetMs: 500 }).catch(() => {});
    await sleep(Math.random() * 50);
  }
}

/** Log each batch to stdout, before it is sent and after the result. */
function loggingBatches(redis: Requester): Requester {
  return Object.assign(Object.create(redis) as Requester, {
    async request<Result>(call: Parameters<Requester["request"]>[0]) {
      const commands = call.body as unknown[][];
      const [name, key, , , text] = commands[0] ?? [];
      if (name !== "XADD" || key !== "events") return redis.request<Result>(call);
      const { instance, seq, events } = JSON.parse(String(text)) as Entry;
      const log = (evt: BatchLine["evt"]) =>
        write({ evt, instance, seq, events } satisfies BatchLine);
      log("batch_sent");
      try {
        const reply = await redis.request<Result>(call);
        const [added] = reply as unknown as { error?: string }[];
        log(added?.error === undefined ? "batch_taken" : "batch_failed");
        return reply;
      } catch (error) {
        log("batch_failed");
        throw error;
      }
    },
  });
}

function write(line: object): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

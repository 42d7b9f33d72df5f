// A process that writes to a Redis file until it is killed.
import { openEmbeddedRedis } from "../../../lib/self-hosted/embedded-stores/redis.js";

const store = await openEmbeddedRedis({ file: process.argv[2] ?? "" });
await store.backend.call(["SET", "first", "kept"]);
await store.backend.call(["SET", "last", "kept"]);
console.log("written");
setInterval(() => store.backend.call(["INCR", "busy"]), 1);

// JavaScript, so that an old Node.js reaches the version check.
import { existsSync } from "node:fs";
import process from "node:process";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (!process.versions.bun && (major < 20 || (major === 20 && minor < 19))) {
  console.error(`Node.js >= 20.19 is required; this is ${process.versions.node}.`);
  process.exit(1);
}

const server = new URL("../../.vercel/self-hosted/server.mjs", import.meta.url);
if (!existsSync(server)) {
  console.error("No build found. Run `npm run backend:build` first.");
  process.exit(1);
}
await import(server.href);

// Plain JavaScript, so that an old Node.js reaches the version check instead of a syntax error.
import process from "node:process";

const commands = {
  server: "./server.js",
  stores: "../lib/self-hosted/embedded-stores/main.js",
  build: "./build.js",
  "check-vercel": "./check-vercel.js",
  test: "./test.js",
  seed: "./seed.js",
  "content-check": "./content-check.js",
  bench: "./bench/main.js",
  migrate: "./migrate.js",
  docs: "./docs.js",
  release: "./release.js",
  prove: "./prove.js",
  ops: "./ops.mjs",
  backup: "../lib/self-hosted/backup.js",
};

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (!process.versions.bun && (major < 20 || (major === 20 && minor < 19))) {
  console.error(`Node.js >= 20.19 is required; this is ${process.versions.node}.`);
  process.exit(1);
}

const name = process.argv.splice(2, 1)[0];
const file = commands[name];
if (!file) {
  console.error(`Unknown command ${name}. One of: ${Object.keys(commands).join(", ")}.`);
  process.exit(2);
}

// The operators' CLI is bundled instead of translated, and reads .env itself.
const isTranslated = name !== "ops";
if (isTranslated && !process.versions.bun) (await import("tsx/esm/api")).register();
// A developer's .env must not change the result of a test.
if (isTranslated && name !== "test" && name !== "prove") {
  const { createEnvFile, loadEnvFile } = await import("../lib/self-hosted/env-file.js");
  if (name === "server" && createEnvFile()) console.log("Made .env from .env.example.");
  loadEnvFile();
}
await import(file);

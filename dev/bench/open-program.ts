import { readFile, writeFile } from "node:fs/promises";
import process from "node:process";
import type { OpenLoad } from "./open.js";
import { runOpenLoop } from "./open-loop.js";
import { createMix } from "./open-mix.js";

const file = process.argv[2] ?? "";
const { url, people, logins, ...schedule }: OpenLoad = JSON.parse(await readFile(file, "utf8"));
const result = await runOpenLoop(url, schedule, createMix(people, logins));
await writeFile(`${file}.result`, JSON.stringify(result));

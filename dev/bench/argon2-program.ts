import process from "node:process";
import { verify } from "@node-rs/argon2";
import { hashPassword } from "../../lib/auth/password/password.js";

/** Verifies one password over and over, as many at once as the login has connections. */
const [concurrency = 1, seconds = 1] = process.argv.slice(2).map(Number);
const password = "correct horse battery staple";
const hash = await hashPassword(password);

let count = 0;
const before = process.cpuUsage();
const startedAt = performance.now();
const verifyInTurn = async () => {
  while (performance.now() - startedAt < seconds * 1000) {
    if (!(await verify(hash, password))) throw new Error("The right password was refused.");
    count++;
  }
};
await Promise.all(Array.from({ length: concurrency }, verifyInTurn));
const elapsedSeconds = (performance.now() - startedAt) / 1000;
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ perSecond: count / elapsedSeconds, cpuUs: (user + system) / count }));

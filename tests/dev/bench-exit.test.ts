import { spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import process from "node:process";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";

/** A bench that started one server, whose URL it prints; `end` is what it does then. */
async function bench(end: string) {
  const server = `require("node:http").createServer((_, reply) => reply.end()).listen(process.env.PORT)`;
  const script = `
    import { CleanUp, exitAfterCleanUp } from "./dev/bench/clean-up.ts";
    import { startServer } from "./dev/bench/server.ts";
    const cleanUp = new CleanUp();
    const program = { args: ["-e", ${JSON.stringify(server)}], folder: ${JSON.stringify(tmpdir())},
      env: {}, probe: { path: "/" } };
    const { url } = await startServer(program, cleanUp);
    console.log(url);
    ${end}`;
  const args = ["--import", "tsx", "--input-type=module", "-e", script];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async () => String((await lines.next()).value);
  const url = await nextLine();
  const answers = () =>
    fetch(url).then(
      () => true,
      () => false,
    );
  return { child, exited, nextLine, answers };
}

describe("a bench that ends early", () => {
  it("leaves no server when it exits without a clean-up", async () => {
    const { exited, answers } = await bench("process.exit(1);");
    await exited;
    await expect.poll(answers, { timeout: 10_000 }).toBe(false);
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "leaves no server after two %s, while a step of the clean-up hangs",
    async (signal) => {
      const { child, exited, nextLine, answers } = await bench(`
        cleanUp.later(() => new Promise(() => console.log("hangs")));
        exitAfterCleanUp(cleanUp, console.error);
        setInterval(() => {}, 1000);
        console.log("ready");`);
      expect(await nextLine()).toBe("ready");
      child.kill(signal);
      expect(await nextLine()).toBe("hangs");
      child.kill(signal);
      expect(await exited).toEqual([1, null]);
      await expect.poll(answers, { timeout: 10_000 }).toBe(false);
    },
  );
});

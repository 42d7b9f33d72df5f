import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { readBuiltFunctions } from "../../../lib/self-hosted/built-functions.js";

it("a built function that could not be loaded is loaded by the next request", async () => {
  const folder = mkdtempSync(join(tmpdir(), "functions-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const listed = [{ file: "api/livez.ts", entry: "livez.mjs" }];
  writeFileSync(join(folder, "functions.json"), JSON.stringify(listed));
  const [route] = await readBuiltFunctions(folder);
  await expect(route?.load()).rejects.toThrow("livez.mjs");
  writeFileSync(join(folder, "livez.mjs"), "export default { fetch: () => new Response('ok') };");
  const loaded = await route?.load();
  expect(await (await loaded?.fetch(new Request("http://localhost/")))?.text()).toBe("ok");
});

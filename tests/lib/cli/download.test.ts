import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { download } from "../../../lib/cli/download.js";
import { FailedError, UsageError } from "../../../lib/cli/failures.js";

const folder = mkdtempSync(join(tmpdir(), "linguamate-download-"));
const deployment = createServer((request, response) => {
  if (request.url === "/refused") {
    response.writeHead(403, { "content-type": "application/problem+json" });
    response.end(JSON.stringify({ code: "reauth_required" }));
    return;
  }
  response.writeHead(200, { "content-type": "application/json" });
  response.write('{"a":1');
  if (request.url === "/whole") response.end("}\n");
  else setImmediate(() => response.destroy());
});
beforeAll(() => new Promise<void>((listening) => deployment.listen(0, "127.0.0.1", listening)));
afterAll(() => {
  deployment.close();
  rmSync(folder, { recursive: true });
});

const get = (path: string, file: string) =>
  download(new URL(`http://127.0.0.1:${(deployment.address() as AddressInfo).port}`), {
    path,
    body: {},
    headers: {},
    file: join(folder, file),
  });

describe("a download", () => {
  it("writes a new file that only this user can read", async () => {
    expect(await get("/whole", "whole.json")).toEqual({ bytes: 8 });
    expect(readFileSync(join(folder, "whole.json"), "utf8")).toBe('{"a":1}\n');
    expect(statSync(join(folder, "whole.json")).mode & 0o777).toBe(0o600);
  });

  it("leaves nothing when it breaks off", async () => {
    await expect(get("/broken", "broken.json")).rejects.toBeInstanceOf(FailedError);
    expect(existsSync(join(folder, "broken.json"))).toBe(false);
  });

  it("keeps a file that exists", async () => {
    writeFileSync(join(folder, "mine.json"), "mine");
    await expect(get("/whole", "mine.json")).rejects.toBeInstanceOf(UsageError);
    expect(readFileSync(join(folder, "mine.json"), "utf8")).toBe("mine");
  });

  it("returns a refusal without a file", async () => {
    expect(await get("/refused", "refused.json")).toMatchObject({
      status: 403,
      code: "reauth_required",
    });
    expect(existsSync(join(folder, "refused.json"))).toBe(false);
  });
});

import { describe, expect, it } from "vitest";
import { Problem } from "../../../../lib/http/problem.js";
import { useEnvironment } from "../../../support/environment.js";
import { useLogLines } from "../../../support/log-lines.js";
import { useServedFunctions } from "../../../support/served-functions.js";
import { useStores } from "../../../support/stores.js";

useEnvironment({ LOG_LEVEL: "info" });
useStores();
const logs = useLogLines();
const served = useServedFunctions();

describe("a path that no function has", () => {
  it("is a problem in the log when public/ has no such file either", async () => {
    const file = await fetch(`${served.url}/robots.txt`);
    expect(file.headers.get("content-type")).toMatch(/^text\/plain/);
    for (const path of ["/.env", "/api/none", "/index.php?x=1"]) {
      const reply = await fetch(served.url + path);
      expect(reply.status).toBe(404);
      expect(reply.headers.get("content-type")).toBe("application/problem+json");
      expect(Problem.parse(await reply.json()).correlationId).toBe(
        reply.headers.get("x-correlation-id"),
      );
    }
    expect(logs.read("http_request").map(({ req }) => req.path)).toEqual([
      "/.env",
      "/api/none",
      "/index.php",
    ]);
  });
});

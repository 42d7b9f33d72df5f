import { describe, expect, it } from "vitest";
import index from "../../../api/index.js";
import livez from "../../../api/livez.js";
import type { Route } from "../../../lib/http/route.js";
import { call } from "../../support/call.js";
import { setEnvironment, useEnvironment } from "../../support/environment.js";

const variables = {
  ALLOWED_HOSTS: "linguamate.com,App.Example.org",
  VERCEL_URL: "linguamate-a1b2c3.vercel.app",
  VERCEL_BRANCH_URL: "linguamate-git-main.vercel.app",
  VERCEL_PROJECT_PRODUCTION_URL: "linguamate.vercel.app",
};
useEnvironment(variables);

async function statusFor(host: string, route: Route = index): Promise<number> {
  const { status } = await call(route, "GET", { url: `http://${host}${route.template}` });
  return status;
}

describe("ALLOWED_HOSTS", () => {
  it.each([
    ["x-forwarded-host", "linguamate.com"],
    ["x-host", "linguamate.com"],
    ["x-original-host", "linguamate.com"],
    ["forwarded", "host=linguamate.com"],
    ["origin", "https://linguamate.com"],
    ["x-original-url", "https://linguamate.com/api"],
  ])("ignores the header %s", async (name, value) => {
    const get = (url: string, sent: string) =>
      call(index, "GET", { url, headers: { [name]: sent } });
    const refused = await get("http://evil.example/api", value);
    expect(refused).toMatchObject({ status: 421, code: "host_not_allowed" });
    const foreign = value.replace("linguamate.com", "evil.example");
    expect((await get("http://linguamate.com/api", foreign)).status).toBe(200);
  });

  it.each([
    ["an entry", "linguamate.com"],
    ["an entry in another letter case", "LINGUAMATE.COM"],
    ["an entry with a port", "linguamate.com:8443"],
    ["an entry that was written in capitals", "app.example.org"],
    ["a subdomain", "www.linguamate.com"],
    ["a subdomain's subdomain", "eu.api.linguamate.com"],
    ["the deployment's own name", "linguamate-a1b2c3.vercel.app"],
    ["the branch's name", "linguamate-git-main.vercel.app"],
    ["the project's name", "linguamate.vercel.app"],
    ["an entry as an absolute name", "linguamate.com."],
    ["localhost", "localhost:8080"],
    ["loopback", "127.0.0.1:8080"],
    ["all of loopback", "127.8.9.10"],
    ["loopback in IPv6", "[::1]:8080"],
  ])("serves %s: %s", async (_, host) => {
    expect(await statusFor(host)).toBe(200);
  });

  it.each([
    ["another host", "evil.example"],
    ["a host with the same suffix", "notlinguamate.com"],
    ["a host with the same prefix", "linguamate.com.evil.example"],
    ["an entry's parent", "example.org"],
    ["another deployment", "evil.vercel.app"],
    ["a subdomain of the deployment", "x.linguamate.vercel.app"],
    ["an address", "10.0.0.1"],
    ["a name that begins like loopback", "127.0.0.1.evil.example"],
    ["a name that contains localhost", "evil.localhost.example"],
  ])("returns 421 for %s: %s", async (_, host) => {
    const answer = await call(index, "GET", { url: `http://${host}/api/` });
    expect(answer).toMatchObject({ status: 421, code: "host_not_allowed" });
  });

  it("returns 421 before checking the method", async () => {
    for (const method of ["OPTIONS", "DELETE"] as const) {
      const { code, status } = await call(index, method, { url: "http://evil.example/api/" });
      expect({ code, status }).toEqual({ code: "host_not_allowed", status: 421 });
    }
  });

  it("ignores a forwarded host", async () => {
    const { code } = await call(index, "GET", {
      url: "http://evil.example/api/",
      headers: { "x-forwarded-host": "linguamate.com", forwarded: "host=linguamate.com" },
    });
    expect(code).toBe("host_not_allowed");
  });

  it("does not apply to the liveness route", async () => {
    expect(await statusFor("10.0.0.1", livez)).toBe(200);
    const { status } = await call(livez, "HEAD", { url: "http://10.0.0.1/api/livez" });
    expect(status).toBe(200);
  });

  it("serves any host when it is empty", async () => {
    setEnvironment({ ...variables, ALLOWED_HOSTS: "" });
    expect(await statusFor("evil.example")).toBe(200);
  });
});

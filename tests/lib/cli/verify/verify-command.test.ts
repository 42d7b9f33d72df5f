import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import user from "../../../../api/user/index.js";
import { sessionFile } from "../../../../lib/cli/session-file.js";
import { call } from "../../../support/call.js";
import {
  certificateKey,
  expiredCertificate,
  validCertificate,
} from "../../../support/certificates.js";
import { setDefaults } from "../../../support/environment.js";
import { anOperator, breakGlassToken, type OperatorPerson } from "../../../support/operators.js";
import { ops, opsInProcess } from "../../../support/ops-command.js";
import { password } from "../../../support/people.js";
import { resetUsedStep } from "../../../support/second-factor.js";
import { useServedFunctions } from "../../../support/served-functions.js";
import { useStores } from "../../../support/stores.js";

const stores = useStores();
const served = useServedFunctions();
setDefaults({ OPS_TOKEN: breakGlassToken, RATE_LIMIT_MAX_REQUESTS: "100000" });

const folder = mkdtempSync(join(tmpdir(), "linguamate-verify-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const trusted = join(folder, "trusted.pem");
writeFileSync(trusted, validCertificate);
const fronts: Server[] = [];
afterAll(() => {
  for (const front of fronts) front.close();
});

interface Front {
  cert?: string;
  hsts?: string | undefined;
  /** Answers instead of the application, for a token of another algorithm. */
  believes?: string;
}

/** The application behind TLS, as a platform has it. */
async function aFront({ cert = validCertificate, hsts, believes }: Front = {}): Promise<string> {
  const front = createServer({ key: certificateKey, cert }, (incoming, reply) => {
    if (hsts) reply.setHeader("strict-transport-security", hsts);
    const [header = ""] = (incoming.headers.authorization ?? "").slice(7).split(".");
    const algorithm = Buffer.from(header, "base64url").toString();
    if (believes && algorithm.includes(`"alg":"${believes}"`)) {
      reply.writeHead(200, { "content-type": "application/json" }).end("{}");
      return;
    }
    const { method, headers, url } = incoming;
    const upstream = request(new URL(url ?? "/", served.url), { method, headers }, (answer) => {
      reply.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(reply);
    });
    upstream.on("error", () => reply.destroy());
    incoming.pipe(upstream);
  });
  fronts.push(front);
  await new Promise<void>((ready) => front.listen(0, "127.0.0.1", ready));
  return `https://localhost:${(front.address() as AddressInfo).port}`;
}

const year = "max-age=63072000; includeSubDomains; preload";
const environmentOf = (url: string) => ({
  HOME: folder,
  XDG_CONFIG_HOME: folder,
  OPS_URL: url,
  NODE_EXTRA_CA_CERTS: trusted,
});

let operator: OperatorPerson;
beforeAll(async () => {
  operator = await anOperator(stores);
});

async function verifyAt(url: string, args: string[] = [], run = ops) {
  await stores.liftLimits();
  await resetUsedStep(stores, operator);
  const env = environmentOf(url);
  const stdin = [operator.email, password, operator.app.code()];
  expect(await run(["login"], { env, stdin })).toMatchObject({ status: 0 });
  return run(["verify", ...args], { env });
}

interface Finding {
  control: string;
  name: string;
  status: string;
  detail: string;
}

async function findingsAt(url: string) {
  const outcome = await verifyAt(url, ["--json"]);
  const body = JSON.parse(outcome.out);
  const findings = body.findings as Finding[];
  const of = (name: string) => findings.find((each) => each.name === name);
  return { ...outcome, body, findings, of };
}

describe("ops verify", () => {
  it("passes for a deployment that has everything, as JSON with the same content", async () => {
    const url = await aFront({ hsts: year });
    const { status, body, findings, of } = await findingsAt(url);
    expect(findings.filter((each) => each.status === "fail")).toEqual([]);
    expect(status).toBe(0);
    expect(body).toMatchObject({
      url,
      release: "development",
      environment: "test",
      checkedBy: { kind: "person", id: operator.user.id },
    });
    for (const name of ["TLS 1.3", "TLS 1.0", "certificate", "HSTS", "JWT algorithm"]) {
      expect(of(name), name).toMatchObject({ status: "pass" });
    }
    for (const alg of ["none", "HS512", "RS256"]) {
      expect(of(`JWT with ${alg}`)).toMatchObject({
        status: "pass",
        detail: "refused: 401 token_invalid (with the claims of this session)",
      });
    }
  }, 120_000);

  it("fails when a token of another algorithm is believed, and without HSTS", async () => {
    const { status, of } = await findingsAt(await aFront({ believes: "none" }));
    expect(status).toBe(1);
    expect(of("JWT with none")).toMatchObject({
      status: "fail",
      detail: "answered 200 (with the claims of this session)",
    });
    expect(of("JWT with HS512")).toMatchObject({ status: "pass" });
    expect(of("HSTS")).toMatchObject({ status: "fail", detail: "no header" });
  }, 120_000);

  it("writes a page for an auditor, without secrets and personal data, to a new file only", async () => {
    const url = await aFront({ hsts: year });
    const file = join(folder, "report.md");
    const outcome = await verifyAt(url, ["--report", file]);
    expect(outcome).toMatchObject({ status: 0, error: "" });
    const page = readFileSync(file, "utf8");
    const sha256 = createHash("sha256").update(page).digest("hex");
    expect(outcome.out).toContain(`Done: wrote ${file}\nSHA-256 ${sha256}`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(page).toContain(`# Verification of ${new URL(url).host}\n`);
    for (const fact of [url, "development", operator.user.id, "OpenSSL"]) {
      expect(page).toContain(fact);
    }
    const headings = [...page.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
    expect(headings).toEqual([
      expect.stringMatching(/^Encryption in transit: (pass|warn)$/),
      "Access tokens: pass",
      expect.stringContaining("Access of operators: "),
      expect.stringContaining("Encryption keys: "),
      "Retention: pass",
      "Access log: pass",
      expect.stringContaining("Audit log: "),
      "Backups: warn",
      "Restore drills: warn",
      "Change log: warn",
      expect.stringContaining("Integrity of the data: "),
      "Not covered",
      "Repeat it",
    ]);
    const session = readFileSync(sessionFileOf(url), "utf8");
    const { accessToken, refreshToken } = JSON.parse(session);
    expect(accessToken).toMatch(/./);
    for (const secret of [accessToken, refreshToken, breakGlassToken, password, "@", folder]) {
      expect(page).not.toContain(secret);
    }
    const again = await ops(["verify", "--report", file], { env: environmentOf(url) });
    expect(again).toMatchObject({ status: 2, out: "" });
    expect(again.error).toContain(`${file} exists. Name a new file.`);
    expect(readFileSync(file, "utf8")).toBe(page);
  }, 120_000);

  it("reports a deployment with an expired certificate, though its server cannot be asked", async () => {
    const env = environmentOf(await aFront({ cert: expiredCertificate, hsts: year }));
    const file = join(folder, "expired.md");
    const outcome = await ops(["verify", "--report", file], { env });
    expect(outcome).toMatchObject({ status: 1, error: "" });
    expect(outcome.out).toMatch(/^fail {2}checks of the server/m);
    const page = readFileSync(file, "utf8");
    expect(page).toMatch(/^\| fail \| certificate \| .*NOT TRUSTED: CERT_HAS_EXPIRED \|$/m);
    expect(page).toContain("## Backups: not checked");
    expect(page).toContain("| Release (commit) | unknown |");
  }, 120_000);

  it("leaves no file when the server refuses", async () => {
    const file = join(folder, "refused.md");
    const env = { HOME: join(folder, "nobody"), OPS_URL: served.url };
    const outcome = await opsInProcess(["verify", "--report", file], { env });
    expect(outcome).toMatchObject({ status: 3, out: "" });
    expect(existsSync(file)).toBe(false);
  });

  it("fits 80 columns and does not claim TLS for plain HTTP on this machine", async () => {
    const { status, out } = await verifyAt(served.url, [], opsInProcess);
    expect(status).toBe(0);
    expect(out).toMatch(/^warn {2}TLS +not checked: plain HTTP/m);
    expect(out.split("\n").filter((line) => line.length > 80)).toEqual([]);
    const { body } = await call(user, "GET", { token: operator.token });
    expect(out).not.toContain(body.email);
  });
});

const sessionFileOf = (url: string) =>
  sessionFile(join(folder, "linguamate-ops"), new URL(url)).path;

import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import {
  type ControlFinding,
  VerificationReport,
} from "../../operations/state/verification-report.js";
import type { Api } from "../api.js";
import { type Command, textOf } from "../command.js";
import { FailedError } from "../failures.js";
import { openNewFile } from "../new-file.js";
import type { SignIn } from "../sign-in.js";
import { table, wrapped } from "../text.js";
import { controls } from "../verify/controls.js";
import { edgeFindings } from "../verify/edge-findings.js";
import { byText, countText, reportPage, type Verified, worst } from "../verify/report-page.js";
import { tokenFindings } from "../verify/token-findings.js";

export const verify: Command = {
  name: "verify",
  args: [],
  summary: "check what auditors ask about (SOC 2) and the invariants of the stores",
  options: { report: { type: "string" } },
  notes:
    "TLS, certificate, HSTS and tokens are checked from this machine, the rest by the server.\nThree invalid tokens are sent, which the server records as security events.\n--report FILE also writes a page for an auditor, in Markdown, to a new file.",
  async run({ api, signIn, options }) {
    const file = textOf(options.report);
    if (file === undefined) return resultOf(await verified(api, signIn));
    const target = await openNewFile(file);
    try {
      const found = await verified(api, signIn);
      const page = reportPage(found);
      await target.writeFile(page);
      const sha256 = createHash("sha256").update(page).digest("hex");
      const { text, ...result } = resultOf(found);
      const done = `Done: wrote ${file}\nSHA-256 ${sha256}`;
      return {
        ...result,
        body: { ...found, report: { file, sha256 } },
        text: `${text}\n\n${done}`,
      };
    } catch (error) {
      await rm(file, { force: true });
      throw error;
    } finally {
      await target.close();
    }
  },
};

function resultOf(found: Verified) {
  const { status, url, findings, release, environment, checkedAt, checkedBy } = found;
  const rows = findings.map(({ status: is, name, detail }) => ({ is, name, detail }));
  const head = [
    `${status}: ${countText(findings)}`,
    `${url} (${environment ?? "unknown environment"}), release ${release ?? "unknown"}`,
    `${checkedAt} by ${byText(checkedBy)}`,
  ].map((line) => wrapped(line, 0));
  const text = `${head.join("\n")}\n${table(rows)}`;
  return { body: found, text, isProblem: status === "fail" };
}

async function verified(api: Api, signIn: SignIn): Promise<Verified> {
  // First, because a refusal ends the command.
  const server = await serverReport(api);
  const own = await signIn.token();
  const [edge, tokens] = await Promise.all([edgeFindings(api.url), tokenFindings(api.url, own)]);
  const findings = inOrder([...server.findings, ...edge, ...tokens]);
  const { checkedAt, checkedBy, release, environment } = server;
  const { origin: url } = api.url;
  return { status: worst(findings), url, checkedAt, checkedBy, release, environment, findings };
}

/** Those of unknown controls, of a newer server, come last. */
function inOrder(findings: ControlFinding[]): ControlFinding[] {
  const known = Object.keys(controls);
  const rank = ({ control }: ControlFinding) => known.indexOf(control) >>> 0;
  return findings.toSorted((one, other) => rank(one) - rank(other));
}

type ServerReport = Pick<
  Verified,
  "checkedAt" | "checkedBy" | "release" | "environment" | "findings"
>;

/** Of a server that cannot report, such as one with an expired certificate, the rest is still worth showing. */
async function serverReport(api: Api): Promise<ServerReport> {
  try {
    return await api.get(VerificationReport, "/api/ops/verification");
  } catch (error) {
    if (!(error instanceof FailedError) || api.url.protocol !== "https:") throw error;
    const failed: ControlFinding = {
      control: "stores",
      name: "checks of the server",
      status: "fail",
      detail: error.message,
    };
    return {
      checkedAt: new Date().toISOString(),
      checkedBy: null,
      release: null,
      environment: null,
      findings: [failed],
    };
  }
}

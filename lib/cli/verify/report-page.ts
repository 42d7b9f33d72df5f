import process from "node:process";
import type { ControlFinding } from "../../operations/state/verification-report.js";
import { visible } from "../text.js";
import { controls, notCovered } from "./controls.js";

export interface Verified {
  status: string;
  url: string;
  checkedAt: string;
  /** Null when the server did not report. */
  checkedBy: { kind: string; id: string } | null;
  release: string | null;
  environment: string | null;
  findings: ControlFinding[];
}

/** A page in Markdown for an auditor. It holds what the findings hold: no secrets, and no personal data but the ID of the operator. */
export function reportPage(verified: Verified): string {
  const { status, url, checkedAt, checkedBy, release, environment, findings } = verified;
  const sections = Object.entries(controls).flatMap(([name, { title, asks, how }]) => {
    const own = findings.filter(({ control }) => control === name);
    return section(`${title}: ${own.length > 0 ? worst(own) : "not checked"}`, asks, how, own);
  });
  const others = findings.filter(({ control }) => !Object.hasOwn(controls, control));
  const facts: [string, string][] = [
    ["Result", `**${status}**: ${countText(findings)}`],
    ["Address", cell(url)],
    ["Release (commit)", cell(release ?? "unknown")],
    ["Environment", cell(environment ?? "unknown")],
    ["Checked at", `${cell(checkedAt)} (UTC)`],
    ["Checked by", cell(byText(checkedBy))],
    ["Checked from", `Node.js ${process.versions.node}, OpenSSL ${process.versions.openssl}`],
  ];
  const lines = [
    `# Verification of ${cell(new URL(url).host)}`,
    "",
    "This page was written by the command `ops verify` of the Linguamate backend. It shows, for one deployment and one moment, which security controls were checked, how, and what was found.",
    "",
    "| | |",
    "| --- | --- |",
    ...facts.map(([name, value]) => `| ${name} | ${value} |`),
    "",
    "**pass**: shown. **warn**: allowed with a remark, or could not be shown. **fail**: does not hold.",
    "",
    ...sections,
    ...(others.length > 0 ? section(`Other: ${worst(others)}`, "", "", others) : []),
    "## Not covered",
    "",
    ...notCovered.map((each) => `- ${each}`),
    "",
    "## Repeat it",
    "",
    "An operator of the deployment runs, with the source code of the release:",
    "",
    "```bash",
    `npm run ops -- verify --url ${new URL(url).origin} --report FILE`,
    "```",
  ];
  return `${lines.join("\n")}\n`;
}

function section(title: string, asks: string, how: string, findings: ControlFinding[]): string[] {
  const rows = findings.map(
    ({ status, name, detail }) => `| ${cell(status)} | ${cell(name)} | ${cell(detail)} |`,
  );
  return [
    `## ${title}`,
    "",
    ...(asks ? [`What must hold: ${asks}`, "", `How it was checked: ${how}`, ""] : []),
    ...(rows.length > 0
      ? ["| result | check | evidence |", "| --- | --- | --- |", ...rows, ""]
      : []),
  ];
}

const statuses = ["fail", "warn", "pass"] as const;

/** `warn` if a status is unknown. */
export function worst(findings: Pick<ControlFinding, "status">[]): (typeof statuses)[number] {
  const has = (status: string) => findings.some((finding) => finding.status === status);
  if (has("fail")) return "fail";
  return findings.every(({ status }) => status === "pass") ? "pass" : "warn";
}

export function countText(findings: ControlFinding[]): string {
  return statuses
    .map((status) => `${findings.filter((each) => each.status === status).length} ${status}`)
    .join(", ");
}

export function byText(by: Verified["checkedBy"]): string {
  if (!by) return "unknown: the server did not report";
  const kinds: Record<string, string> = {
    person: "operator",
    token: "token of an operator",
    break_glass: "emergency token",
  };
  return `${kinds[by.kind] ?? by.kind} ${by.id}`;
}

/** Names in certificates and headers come from outside. */
const cell = (text: string) => visible(text).replace(/[\\`*<>|[\]]/g, "\\$&");

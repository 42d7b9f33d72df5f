import type { Incident } from "./incident.js";
import type { TimelineEntry } from "./timeline-entry.js";

/** The post-mortem template in Markdown, filled in with the data of the incident. */
export function postMortem(
  incident: Incident,
  timeline: readonly TimelineEntry[],
  { from, cut }: { from: Date; cut: readonly TimelineEntry["kind"][] },
): string {
  const { id, title, severity, openedAt, closedAt } = incident;
  const minutes = closedAt && Math.round((Date.parse(closedAt) - Date.parse(openedAt)) / 60_000);
  const hourBefore = new Date(from.getTime() - 3_600_000).toISOString();
  const start =
    +from < Date.parse(openedAt)
      ? "It starts with the first of the alerts that were firing when the incident was opened."
      : "It starts when the incident was opened.";
  const left = cut.length > 0 ? ` **The oldest entries are left out (${cut.join(", ")}).**` : "";
  const rows = timeline.map(({ at, who, what }) => `| ${at} | ${cell(what)} | ${who ?? ""} |`);
  return `# ${title}

${severity}, opened ${openedAt}, ${closedAt ? `closed ${closedAt} (${minutes} minutes)` : "still open"}. Incident ${id}.

## Impact

_What did not work, for whom, since when, and for how many users?_

## Timeline

| when (UTC) | what | who |
| --- | --- | --- |
${rows.join("\n")}

_${start} Add what came before, such as the change that caused it:
\`npm run ops -- audit --since ${hourBefore}\`_${left}

## Root cause

_Ask "why" until the answer is something we can change. The cause is never a person._

## What went well, what went wrong, where we were lucky

## Action items

| action | owner | due |
| --- | --- | --- |

## Was personal data at risk?

_If so: which data, of which users, and was it reported within 72 hours (GDPR, article 33)?_
`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replace(/\s+/g, " ");
}

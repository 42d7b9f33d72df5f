import type { Incident } from "./incident.js";
import type { Moment } from "./timeline-entry.js";

/** What a review writes down, in Markdown: what is known is filled in, what people know is asked for. */
export function postMortem(incident: Incident, timeline: readonly Moment[]): string {
  const { id, title, severity, openedAt, closedAt } = incident;
  const minutes = closedAt && Math.round((Date.parse(closedAt) - Date.parse(openedAt)) / 60_000);
  const rows = timeline.map(({ at, who, what }) => `| ${at} | ${cell(what)} | ${who ?? ""} |`);
  return `# ${title}

${severity}, opened ${openedAt}, ${closedAt ? `closed ${closedAt} (${minutes} minutes)` : "still open"}. Incident ${id}.

## What people noticed

_Who could not do what, since when, and how many?_

## Timeline

| when (UTC) | what | who |
| --- | --- | --- |
${rows.join("\n")}

## Why it happened

_Ask why until the answer is something that can be changed. It is never a person._

## What went well, what did not, where we were lucky

## What we change

| change | who | until |
| --- | --- | --- |

## Was personal data at risk?

_If so: which, whose, and was it reported within 72 hours (GDPR, article 33)?_
`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replace(/\s+/g, " ");
}

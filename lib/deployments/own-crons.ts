// biome-ignore lint/correctness/useImportExtensions: JSON, not TypeScript
import vercelSettings from "../../vercel.json" with { type: "json" };

/** Schedules by path, as this release has them. */
export const ownCrons: Record<string, string> = Object.fromEntries(
  vercelSettings.crons.map(({ path, schedule }) => [path, schedule]),
);

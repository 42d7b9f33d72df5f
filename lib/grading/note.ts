import { type DescribedPart, isMarkRule } from "./describe-match.js";

const wordsMax = 3;

/** A sentence for the learner about what was forgiven; null when there is nothing to learn from it. */
export function noteOf(parts: readonly DescribedPart[]): string | null {
  const mistyped = parts.filter(({ isMistyped }) => isMistyped);
  const unmarked = parts.filter(({ rules, isMistyped }) => !isMistyped && rules.some(isMarkRule));
  const isHindi = unmarked.some(
    ({ rules }) => rules.includes("nukta") || rules.includes("candrabindu"),
  );
  const accent = isHindi ? "dots" : "accent";
  if (mistyped.length > 0 && unmarked.length > 0) {
    return `Watch the spelling: ${listed(mistyped)}. Watch the ${accent} too: ${listed(unmarked)}.`;
  }
  if (mistyped.length > 0) return `Watch the spelling: ${listed(mistyped)}.`;
  if (unmarked.length > 0) return `Watch the ${accent}: ${listed(unmarked)}.`;
  const joined = parts.filter(({ rules, difference }) => {
    return rules.includes("apostrophe") && difference.expected?.includes("'");
  });
  return joined.length > 0 ? `Mind the apostrophe: ${listed(joined)}.` : null;
}

const listed = (parts: readonly DescribedPart[]): string =>
  parts
    .slice(0, wordsMax)
    .map(({ difference }) => difference.expected)
    .join(", ");

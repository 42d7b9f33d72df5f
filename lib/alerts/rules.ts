import type { Rule } from "./rule.js";
import { backgroundRules } from "./rules/background-rules.js";
import { dependencyRules } from "./rules/dependency-rules.js";
import { requestRules } from "./rules/request-rules.js";
import { securityRules } from "./rules/security-rules.js";

/** Source of the evaluator, the Prometheus rules and docs/alerts.md. Runbook: docs/runbooks/<name in kebab case>.md. */
export const rules = [
  ...requestRules,
  ...dependencyRules,
  ...securityRules,
  ...backgroundRules,
] as const satisfies readonly Rule[];

export type RuleName = (typeof rules)[number]["name"];

export const ruleNames = rules.map(({ name }) => name) as [RuleName, ...RuleName[]];

export const rulesByName = Object.fromEntries(rules.map((rule) => [rule.name, rule])) as Record<
  RuleName,
  Rule
>;

/** `ErrorRateCritical` → `error-rate-critical`. */
export function runbookSlug(rule: string): string {
  return rule.replace(/(?<=[a-z\d])(?=[A-Z])/g, "-").toLowerCase();
}

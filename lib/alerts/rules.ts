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

export function findRule(name: string): Rule | null {
  return rules.find((rule) => rule.name === name) ?? null;
}

/** `ErrorRateCritical` → `error-rate-critical`. */
export function runbookSlug(rule: string): string {
  return rule.replace(/(?<=[a-z\d])(?=[A-Z])/g, "-").toLowerCase();
}

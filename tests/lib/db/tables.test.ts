import { describe, expect, it } from "vitest";
import { countedTables } from "../../../lib/backups/expectations.js";
import { catalogue } from "../../../lib/privacy/catalogue.js";
import { retentionClasses } from "../../../lib/schedule/retention/classes.js";
import { boundedTables } from "../../support/whole-reads.js";

/** Tables that grow and have no age, with the reason; `uncounted` says why no restore drill counts their rows. */
const kept: Record<string, { because: string; uncounted?: string }> = {
  users: { because: "until the account is erased" },
  consents: { because: "until the account is erased" },
  preferences: { because: "until the account is erased", uncounted: "replaced by each change" },
  learners: { because: "until the account is erased", uncounted: "changed by each write" },
  attempts: { because: "until the account is erased", uncounted: "a merge moves a guest's" },
  attempt_answers: { because: "until the account is erased", uncounted: "a merge moves a guest's" },
  lesson_progress: {
    because: "until the account is erased",
    uncounted: "a merge unites a guest's with the account's",
  },
  xp_entries: {
    because: "until the account is erased",
    uncounted: "a merge drops what both have earned for one fact",
  },
  second_factors: { because: "until the account is erased", uncounted: "replaced by an enrolment" },
  recovery_codes: { because: "until the account is erased", uncounted: "replaced as a set" },
  suppressed_addresses: {
    because: "who complained must not get more mail",
    uncounted: "lifted by deliveries and operators",
  },
  incident_notes: { because: "the record of an incident", uncounted: "a few rows per incident" },
  audit_seals: { because: "the chain stays whole", uncounted: "read by the drill's audit proof" },
  alert_samples: {
    because: "the evaluation deletes them after two hours",
    uncounted: "measures of two hours",
  },
};

const aged = new Set(retentionClasses.map(({ name, rows }) => rows?.table ?? name));
const isBounded = (table: string) => Object.hasOwn(boundedTables, table);

describe("each table of the catalogue", () => {
  it("has an age at which its rows go, does not grow, or is kept for a reason", () => {
    const unsaid = Object.keys(catalogue).filter(
      (table) => !aged.has(table) && !isBounded(table) && !(table in kept),
    );
    expect(
      unsaid.map(
        (table) =>
          `${table} needs a class in lib/schedule/retention/classes.ts, or a line in boundedTables of tests/support/whole-reads.ts or in \`kept\` here`,
      ),
    ).toEqual([]);
    const needless = Object.keys(kept).filter(
      (table) => !(table in catalogue) || aged.has(table) || isBounded(table),
    );
    expect(needless).toEqual([]);
  });

  it("is counted by restore drills if its rows stay, or says why not", () => {
    const unsaid = Object.keys(kept).filter(
      (table) => !(table in countedTables) && !kept[table]?.uncounted,
    );
    expect(
      unsaid.map(
        (table) =>
          `${table} needs a line in countedTables of lib/backups/expectations.ts, or \`uncounted\` here`,
      ),
    ).toEqual([]);
  });
});

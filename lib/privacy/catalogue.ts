import { type SQL, sql } from "drizzle-orm";
import type { Person } from "./person.js";

/**
 * Every table and column of the database: is it personal, is it exported, and how is it erased? Export, purge and their
 * tests follow it, and a test compares it with the live schema.
 */

/**
 * `technical` says nothing about a person. `withheld` is the reason why a personal value is not exported; `as` is what is
 * exported instead of it.
 */
type Column = "technical" | "exported" | { withheld: string } | { as: (person: Person) => SQL };

/** How the purge treats the rows of a person. */
type Erasure =
  | "deleted"
  /** The values that no longer name the person. */
  | { changed: (person: Person) => SQL }
  | { kept: string };

interface Personal {
  /** The name in the export. */
  section: string;
  /** Conditions that select the person's rows, each with an index where the table is large. */
  rows(person: Person): SQL[];
  /** Rows that name the person, and could show more: about the account or address of another person. */
  alsoErased?(person: Person): SQL[];
  /** Sorts the rows uniquely: the position of a page in the export. */
  key: readonly Key[];
  /** Rows written after the start of an export are left out. */
  writtenAt?: string;
  erased: Erasure;
  /** Rows that are written after the erasure, where no foreign key to the account refuses them: erased once more, or why not. */
  late?: "erased" | { stay: string };
}

interface Key {
  column: string;
  type: "uuid" | "text" | "bigint" | "timestamptz";
}

export interface TableEntry {
  columns: Record<string, Column>;
  /** Null: no row is about a person. */
  personal: Personal | null;
}

const secret = { withheld: "a secret, or what a secret could be derived from" } as const;
const ofOthers = { withheld: "an operator's note, or the ID of another person" } as const;
const ofAddress = { withheld: "a keyed hash of the address" } as const;

const text = (column: string): Key => ({ column, type: "text" });
const uuid = (column: string): Key => ({ column, type: "uuid" });
const time = (column: string): Key => ({ column, type: "timestamptz" });
const number = (column: string): Key => ({ column, type: "bigint" });

const columns = (names: string, kind: Column): Record<string, Column> =>
  Object.fromEntries(names.split(" ").map((name) => [name, kind]));

const technical = (names: string): TableEntry => ({
  columns: columns(names, "technical"),
  personal: null,
});

/** One condition per value: with a list of values an index cannot sort the rows. */
const each =
  (column: string, type: "uuid" | "text", values: (person: Person) => string[]) =>
  (person: Person): SQL[] =>
    values(person).map(
      (value) => sql`${sql.identifier(column)} = cast(${value} as ${sql.raw(type)})`,
    );
const ids = ({ ids }: Person) => ids;
const ofUser = each("user_id", "uuid", ids);
const ofUserHash = each("user_hash", "text", ({ userHashes }) => userHashes);

const anyOf = (values: string[]) => sql`any(cast(${sql.param(values)} as text[]))`;

const uuids = (values: string[]) => sql`any(cast(${sql.param(values)} as uuid[]))`;

/** Only in rows that the person caused. */
const ifOwn =
  (column: string) =>
  ({ ids }: Person) =>
    sql`case when user_id = ${uuids(ids)} then ${sql.identifier(column)} end`;

/** The export reads from the top and the purge from the bottom: a table stands below those that its foreign keys name. */
export const catalogue: Record<string, TableEntry> = {
  users: {
    columns: {
      ...columns("id email claimed_email claim_device claimed_at is_guest", "exported"),
      ...columns("email_undeliverable role name avatar_url native_language", "exported"),
      ...columns("target_language level goals interests topics daily_goal_minutes", "exported"),
      ...columns("time_zone reminder_time is_premium onboarding_completed", "exported"),
      ...columns("suspended_at purge_at merged_into previous_time_zone", "exported"),
      ...columns("time_zone_from time_zone_changed_at accepted_terms_at", "exported"),
      ...columns("created_at updated_at", "exported"),
      ...columns("password_hash deletion_id", secret),
    },
    personal: {
      section: "accounts",
      rows: each("id", "uuid", ids),
      key: [uuid("id")],
      erased: "deleted",
    },
  },
  sessions: {
    columns: {
      ...columns("id user_id device_id device_name device_platform app_version", "exported"),
      ...columns("ip_prefix country auth_methods authenticated_at created_at", "exported"),
      ...columns("last_seen_at idle_expires_at expires_at revoked_at", "exported"),
      ...columns("revoked_reason rotated_at rotated_device", "exported"),
      ...columns("rotation_hash concurrent_hashes", secret),
      ...columns("refresh_counter redis_generation concurrent_at", "technical"),
      ...columns("repeated_at repeated_counter", "technical"),
    },
    personal: {
      section: "sessions",
      rows: ofUser,
      key: [text("id")],
      writtenAt: "created_at",
      erased: "deleted",
    },
  },
  consents: {
    columns: columns("user_id kind version accepted_at", "exported"),
    personal: {
      section: "consents",
      rows: ofUser,
      key: [text("kind"), text("version")],
      writtenAt: "accepted_at",
      erased: "deleted",
    },
  },
  preferences: {
    columns: columns("user_id profile version updated_at", "exported"),
    personal: { section: "preferences", rows: ofUser, key: [uuid("user_id")], erased: "deleted" },
  },
  learners: {
    columns: { ...columns("user_id total_xp", "exported"), ...columns("revision", "technical") },
    personal: { section: "learners", rows: ofUser, key: [uuid("user_id")], erased: "deleted" },
  },
  attempts: {
    columns: {
      ...columns("user_id id lesson_id course_id version state pack_id started_at", "exported"),
      ...columns("received_at completed_at local_date zone is_perfect result", "exported"),
      ...columns("seed revision", "technical"),
    },
    personal: {
      section: "attempts",
      rows: ofUser,
      key: [uuid("id")],
      writtenAt: "received_at",
      erased: "deleted",
    },
  },
  attempt_answers: {
    columns: {
      ...columns("user_id attempt_id id exercise_id try_number answer verdict rules", "exported"),
      ...columns("duration_ms answered_at received_at", "exported"),
      ...columns("grader_version", "technical"),
    },
    personal: {
      section: "answers",
      rows: ofUser,
      key: [uuid("attempt_id"), uuid("id")],
      writtenAt: "received_at",
      erased: "deleted",
    },
  },
  lesson_progress: {
    columns: {
      ...columns("user_id lesson_id course_id state completions first_completed_at", "exported"),
      ...columns("revision", "technical"),
    },
    personal: {
      section: "lessonProgress",
      rows: ofUser,
      key: [uuid("lesson_id")],
      erased: "deleted",
    },
  },
  xp_entries: {
    columns: {
      ...columns("user_id kind fact xp local_date earned_at", "exported"),
      ...columns("revision", "technical"),
    },
    personal: {
      section: "experiencePoints",
      rows: ofUser,
      key: [text("kind"), text("fact")],
      writtenAt: "earned_at",
      erased: "deleted",
    },
  },
  second_factors: {
    columns: {
      ...columns("user_id id created_at confirmed_at last_used_step", "exported"),
      ...columns("sealed_secret", secret),
    },
    personal: { section: "secondFactors", rows: ofUser, key: [uuid("user_id")], erased: "deleted" },
  },
  recovery_codes: {
    columns: {
      ...columns("user_id created_at used_at", "exported"),
      ...columns("code_hash", secret),
    },
    personal: {
      section: "recoveryCodes",
      rows: ofUser,
      key: [text("code_hash")],
      erased: "deleted",
    },
  },
  email_changes: {
    columns: {
      ...columns("user_id old_email created_at expires_at undone_at", "exported"),
      ...columns("id", secret),
    },
    personal: {
      section: "emailChanges",
      rows: ofUser,
      key: [uuid("id")],
      writtenAt: "created_at",
      erased: "deleted",
    },
  },
  mail_codes: {
    columns: {
      ...columns("purpose email attempts created_at expires_at", "exported"),
      ...columns("id", secret),
      ...columns("subject", { withheld: "the user ID again, or a keyed hash of the address" }),
      ...columns("user_id", { withheld: "null if the address is taken, which must stay unknown" }),
      ...columns("device_id", { withheld: "the device that asked for a reset" }),
    },
    personal: {
      section: "mailCodes",
      rows: ({ codeSubjects, emails }) => [
        sql`purpose = any('{verify_email,change_email,sign_in}') and subject = ${anyOf(codeSubjects)}`,
        sql`purpose = 'reset_password' and email = ${anyOf(emails)}`,
      ],
      key: [text("purpose"), text("subject")],
      writtenAt: "created_at",
      erased: "deleted",
    },
  },
  mail_budgets: {
    columns: {
      ...columns("admitted_at last_admitted_at", "exported"),
      ...columns("address_hash", ofAddress),
    },
    personal: {
      section: "mailBudgets",
      rows: ({ addressHashes }) => [sql`address_hash = ${anyOf(addressHashes)}`],
      key: [text("address_hash")],
      erased: "deleted",
      late: { stay: "A keyed hash of the address, for two days after its last mail." },
    },
  },
  suppressed_addresses: {
    columns: {
      ...columns("reason created_at", "exported"),
      ...columns("address_hash", ofAddress),
    },
    personal: {
      section: "mailSuppressions",
      rows: ({ addressHashes }) => [sql`address_hash = ${anyOf(addressHashes)}`],
      key: [text("address_hash")],
      erased: {
        kept: "A keyed hash. Who complained about our mail must not get more, also from a new account.",
      },
    },
  },
  webhook_events: {
    columns: {
      ...columns("source received_at", "exported"),
      ...columns("id", { withheld: "the provider's ID, or a keyed hash of the address" }),
    },
    personal: {
      section: "mailDeliveries",
      rows: ({ addressHashes }) => [
        sql`source = 'mail_delivered' and id = ${anyOf(addressHashes)}`,
      ],
      key: [text("source"), text("id")],
      erased: "deleted",
      late: { stay: "A keyed hash of the address, for 30 days." },
    },
  },
  queue_entries: {
    columns: {
      ...columns("id kind send correlation_id created_at expires_at run_after", "exported"),
      ...columns("attempts admitted_at dead_at last_error done_at", "exported"),
      ...columns("key leased_until", "technical"),
      payload: { as: () => sql`payload - 'codeId' - 'undoId' - 'cancelId'` },
    },
    personal: {
      section: "queuedMails",
      // The mail to any other address says whether it is taken.
      rows: ({ ids, emails }) => [
        sql`(payload -> 'to' ->> 'userId' = ${anyOf(ids)} or payload -> 'to' ->> 'email' = ${anyOf(emails)})`,
      ],
      alsoErased: ({ ids }) => [
        sql`payload ->> 'codeId' in (
          select cast(id as text) from mail_codes where user_id = ${uuids(ids)}
            or purpose = any('{verify_email,change_email}') and subject = ${anyOf(ids)})`,
      ],
      key: [uuid("id")],
      writtenAt: "created_at",
      erased: "deleted",
      late: { stay: "A mail expires within a day." },
    },
  },
  idempotency_keys: {
    columns: {
      ...columns("scope key created_at", "exported"),
      ...columns("body_hash", { withheld: "a keyed hash of a request" }),
      ...columns("result_id", "technical"),
    },
    personal: {
      section: "idempotencyKeys",
      rows: each("scope", "text", ids),
      key: [text("key")],
      writtenAt: "created_at",
      erased: "deleted",
      late: "erased",
    },
  },
  operator_tokens: {
    columns: {
      ...columns("id name scopes created_by created_at expires_at last_used_at", "exported"),
      ...columns("revoked_at", "exported"),
      ...columns("secret_hash", secret),
    },
    personal: {
      section: "operatorTokens",
      rows: each("created_by", "uuid", ids),
      key: [text("id")],
      writtenAt: "created_at",
      erased: "deleted",
    },
  },
  rate_limits: {
    columns: {
      ...columns("used resets_at_ms", "exported"),
      ...columns("key", ofAddress),
    },
    personal: {
      section: "rateLimits",
      rows: ({ counterKeys }) => [sql`key = ${anyOf(counterKeys)}`],
      key: [text("key")],
      erased: "deleted",
      late: { stay: "A counter expires within a day, and its key is a hash." },
    },
  },
  login_delays: {
    columns: {
      ...columns("failures delayed_until_ms expires_at_ms pass_until_ms", "exported"),
      ...columns("key", ofAddress),
      ...columns("pass_ip pass_device", { withheld: "of the caller who reset the password" }),
      ...columns("last_reservation pass_taken_by", "technical"),
    },
    personal: {
      section: "signInDelays",
      rows: ({ counterKeys }) => [sql`key = ${anyOf(counterKeys)}`],
      key: [text("key")],
      erased: "deleted",
      late: { stay: "A delay expires within a day, and its key is a hash." },
    },
  },
  blocks: {
    columns: {
      ...columns("id kind value created_at expires_at ended_at", "exported"),
      ...columns("reason created_by", ofOthers),
    },
    personal: {
      section: "blocks",
      rows: ({ ids }) => [sql`value = ${anyOf(ids.map((id) => `user:${id}`))}`],
      key: [uuid("id")],
      writtenAt: "created_at",
      erased: "deleted",
      late: { stay: "Set by an operator, and names an ID that no longer leads to a person." },
    },
  },
  flags: {
    columns: {
      ...columns("name kind updated_at", "exported"),
      ...columns("users updated_by", { withheld: "IDs of other accounts" }),
      ...columns("enabled is_public percentage version", "technical"),
    },
    personal: {
      section: "featureFlags",
      rows: ({ ids }) => [sql`users && cast(${sql.param(ids)} as text[])`],
      key: [text("name")],
      erased: {
        changed: ({ ids }) => sql`version = version + 1, users = array(
          select member from unnest(users) as member where member <> all(cast(${sql.param(ids)} as text[])))`,
      },
      late: { stay: "Set by an operator, and names an ID that no longer leads to a person." },
    },
  },
  security_events: {
    columns: {
      ...columns("id at event count route", "exported"),
      // A failed sign-in can be a stranger's. Whose account a person tried says whether the address is taken.
      user_id: { as: ifOwn("user_id") },
      ip: { as: ifOwn("ip") },
      correlation_id: { as: ifOwn("correlation_id") },
      data: { as: () => sql`data - 'account' - 'accountId'` },
    },
    personal: {
      section: "securityEvents",
      rows: ({ ids }) =>
        ids.flatMap((id) => [
          sql`user_id = ${id}`,
          sql`data ->> 'accountId' = ${id} and (user_id = ${uuids(ids)}) is not true`,
        ]),
      alsoErased: ({ ids, limitKeys, userHashes }) => [
        sql`data ->> 'account' = ${anyOf([...ids, ...limitKeys, ...userHashes])}`,
      ],
      key: [time("at"), uuid("id")],
      writtenAt: "at",
      erased: {
        changed: ({ ids }) => {
          const isOwn = sql`user_id = ${uuids(ids)}`;
          const isTarget = sql`data ->> 'accountId' = ${anyOf(ids)}`;
          return sql`user_id = case when ${isOwn} then null else user_id end,
            ip = case when ${isOwn} then null else ip end,
            data = case when ${isOwn} then '{}'
              else data - 'account' - case when ${isTarget} then 'accountId' else '' end end`;
        },
      },
      late: "erased",
    },
  },
  audit_log: {
    columns: {
      ...columns("id at actor_kind action correlation_id", "exported"),
      ...columns("actor_id reason", ofOthers),
      subject_id: {
        as: ({ ids }) => sql`case when subject_id = ${anyOf(ids)} then subject_id end`,
      },
      // The network of an operator is not the person's.
      ip_prefix: { as: ({ ids }) => sql`case when actor_id = ${anyOf(ids)} then ip_prefix end` },
    },
    personal: {
      section: "auditLog",
      rows: ({ ids }) =>
        ids.flatMap((id) => [
          sql`subject_id = ${id}`,
          sql`actor_id = ${id} and subject_id is distinct from ${id}`,
        ]),
      key: [number("id")],
      writtenAt: "at",
      erased: {
        kept: "Append-only and sealed, deleted after AUDIT_RETENTION_DAYS. The ID no longer leads to a person; an operator's reason can name one.",
      },
    },
  },
  access_log: {
    columns: {
      ...columns("at count correlation_id route method status code duration_ms", "exported"),
      ...columns("ip_prefix limits external_calls token_failure security_events", "exported"),
      ...columns("app_version release", "exported"),
      ...columns("id inserted_at one_in", "technical"),
      ...columns("user_hash", { withheld: "a keyed hash of the user ID" }),
    },
    personal: {
      section: "requests",
      rows: ofUserHash,
      key: [time("at"), number("id")],
      writtenAt: "at",
      erased: {
        kept: "A keyed hash of an ID that no longer leads to a person. Dropped after ACCESS_LOG_RETENTION_DAYS.",
      },
    },
  },
  unusual_usage: {
    columns: {
      ...columns("hour calls", "exported"),
      ...columns("user_hash", { withheld: "a keyed hash of the user ID" }),
    },
    personal: {
      section: "unusualUsage",
      rows: ofUserHash,
      key: [time("hour")],
      erased: "deleted",
      late: "erased",
    },
  },
  incidents: {
    columns: {
      ...columns("id opened_at opened_by", "exported"),
      ...columns("title severity closed_at", "technical"),
    },
    personal: {
      section: "openedIncidents",
      rows: each("opened_by", "text", ids),
      key: [uuid("id")],
      writtenAt: "opened_at",
      erased: { kept: "The record of an incident names its operator by ID only." },
    },
  },
  incident_notes: {
    columns: {
      ...columns("id incident_id at author", "exported"),
      ...columns("text", ofOthers),
    },
    personal: {
      section: "incidentNotes",
      rows: each("author", "text", ids),
      key: [uuid("id")],
      writtenAt: "at",
      erased: { kept: "The record of an incident names its operator by ID only." },
    },
  },
  restore_drills: {
    columns: {
      ...columns("id started_at started_by", "exported"),
      ...columns(
        "target_at step step_started_at token held_until copy_name copy_id operations expected audit_verified_to findings leftovers last_error proven_at rpo_seconds succeeded finished_at",
        "technical",
      ),
    },
    personal: {
      section: "startedDrills",
      rows: each("started_by", "text", ids),
      key: [uuid("id")],
      writtenAt: "started_at",
      erased: { kept: "The record of a drill names its operator by ID only." },
    },
  },
  erasures: {
    columns: columns("user_id erased_at", "exported"),
    personal: {
      section: "erasures",
      rows: ofUser,
      key: [uuid("user_id")],
      erased: { kept: "The receipt: an ID that no longer leads to a person." },
    },
  },
  restored_erasures: {
    columns: columns("user_id erased_at", "exported"),
    personal: {
      section: "restoredErasures",
      rows: ofUser,
      key: [uuid("user_id")],
      erased: { kept: "A receipt, which is deleted when the restore is finished." },
    },
  },
  course_versions: technical(
    "course_id version target_language native_language digest course learn created_at replaced_at",
  ),
  courses: technical("id target_language native_language version published_at"),
  lessons: technical(
    "id version course_id position unit requires xp_reward perfect_bonus lesson exercises keys words",
  ),
  words: technical("id version course_id position word keys"),
  backup_canaries: technical("id at"),
  deployments: technical(
    "id platform sha version url reason first_served_at last_served_at migration_head environment crons",
  ),
  // The actor is an ID of the platform, not of an account here.
  deployment_events: technical("deployment_id kind at actor source"),
  retention_removals: technical("class run at rows removed_to"),
  security_settings: technical(
    "id revoke_all_before restore_begun_at restore_finished_at erasures_handed_over_at",
  ),
  mirror_versions: technical("name version"),
  alerts: technical(
    "key rule label state bad_minutes good_minutes known_minute since told_priority told_channel detail",
  ),
  alert_transitions: technical("key minute rule label from_state to_state detail"),
  alert_samples: technical("minute series value"),
  alert_clock: technical("name counted_until sampled_until"),
  alert_silences: technical("rule until"),
  audit_seals: technical("first_id last_id rows hash previous hmac key_id at"),
  audit_retirements: technical("last_id age_days hmac key_id at"),
  cron_cursors: technical("name position"),
  cron_leases: technical("job token slot held_until done_slot"),
  cron_runs: technical("job slot token started_at finished_at failed_parts"),
  drain_state: technical("name cursor drained_until"),
  drained_batches: technical("instance seq events drained_at"),
  schema_migrations: technical("name checksum applied_at"),
  schema_migration_leases: technical("name holder expires_at"),
  telemetry_gauges: technical("series value measured_at"),
  telemetry_minutes: technical("minute series value"),
  telemetry_totals: technical("series value"),
};

export type PersonalTable = { table: string; columns: Record<string, Column> } & Personal;

/** In the order of the catalogue. */
export const personalTables: readonly PersonalTable[] = Object.entries(catalogue).flatMap(
  ([table, { columns: held, personal }]) =>
    personal ? [{ table, columns: held, ...personal }] : [],
);

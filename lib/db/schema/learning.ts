import {
  bigint,
  boolean,
  date,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  unique,
  uuid,
} from "drizzle-orm/pg-core";
import { users } from "./accounts.js";
import { at } from "./columns.js";

const userId = () =>
  uuid("user_id")
    .notNull()
    .references(() => users.id, { onDelete: "cascade" });
const revision = () => bigint("revision", { mode: "number" }).notNull();

/** One row for each learner, made by the first write. `revision` rises with each write of rows that devices copy. */
export const learners = pgTable("learners", {
  userId: userId().primaryKey(),
  revision: revision(),
  totalXp: integer("total_xp").notNull(),
});

/** The client makes the ID. At most one open attempt of a lesson is without a pack. `result` is the reply of its completion. */
export const attempts = pgTable(
  "attempts",
  {
    userId: userId(),
    id: uuid("id").notNull(),
    lessonId: uuid("lesson_id").notNull(),
    courseId: uuid("course_id").notNull(),
    version: integer("version").notNull(),
    state: text("state", { enum: ["started", "completed", "abandoned"] }).notNull(),
    seed: integer("seed").notNull(),
    packId: uuid("pack_id"),
    startedAt: at("started_at").notNull(),
    receivedAt: at("received_at").notNull(),
    completedAt: at("completed_at"),
    localDate: date("local_date"),
    zone: text("zone"),
    isPerfect: boolean("is_perfect"),
    result: jsonb("result"),
    revision: revision(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.id] })],
);

/** `verdict` is `skipped` for an exercise that was not answered. */
export const attemptAnswers = pgTable(
  "attempt_answers",
  {
    userId: userId(),
    attemptId: uuid("attempt_id").notNull(),
    id: uuid("id").notNull(),
    exerciseId: uuid("exercise_id").notNull(),
    tryNumber: smallint("try_number").notNull(),
    answer: jsonb("answer").notNull(),
    verdict: text("verdict").notNull(),
    rules: text("rules").array().notNull(),
    graderVersion: integer("grader_version").notNull(),
    durationMs: integer("duration_ms"),
    answeredAt: at("answered_at").notNull(),
    receivedAt: at("received_at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.attemptId, table.id] }),
    unique("attempt_answers_try_key").on(
      table.userId,
      table.attemptId,
      table.exerciseId,
      table.tryNumber,
    ),
  ],
);

export const lessonProgress = pgTable(
  "lesson_progress",
  {
    userId: userId(),
    lessonId: uuid("lesson_id").notNull(),
    courseId: uuid("course_id").notNull(),
    state: text("state", { enum: ["completed", "tested_out"] }).notNull(),
    completions: integer("completions").notNull(),
    firstCompletedAt: at("first_completed_at"),
    revision: revision(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.lessonId] })],
);

/** The ledger: rows are only added. `fact` is what earned the points, such as the ID of a lesson; it pays once. */
export const xpEntries = pgTable(
  "xp_entries",
  {
    userId: userId(),
    kind: text("kind").notNull(),
    fact: text("fact").notNull(),
    xp: integer("xp").notNull(),
    localDate: date("local_date").notNull(),
    earnedAt: at("earned_at").notNull(),
    revision: revision(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.kind, table.fact] })],
);

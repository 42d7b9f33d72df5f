import {
  foreignKey,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  unique,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { at } from "./columns.js";

/** A version never changes. `digest` is of its files. `replacedAt`: when a course last ceased to point at it. */
export const courseVersions = pgTable(
  "course_versions",
  {
    courseId: uuid("course_id").notNull(),
    version: integer("version").notNull(),
    targetLanguage: text("target_language").notNull(),
    nativeLanguage: text("native_language").notNull(),
    digest: text("digest").notNull(),
    course: jsonb("course").notNull(),
    learn: jsonb("learn").notNull(),
    createdAt: at("created_at").notNull(),
    replacedAt: at("replaced_at"),
  },
  (table) => [primaryKey({ columns: [table.courseId, table.version] })],
);

/** The published version of each course. */
export const courses = pgTable(
  "courses",
  {
    id: uuid("id").primaryKey(),
    targetLanguage: text("target_language").notNull(),
    nativeLanguage: text("native_language").notNull(),
    version: integer("version").notNull(),
    publishedAt: at("published_at").notNull(),
  },
  (table) => [
    unique().on(table.targetLanguage, table.nativeLanguage),
    foreignKey({
      columns: [table.id, table.version],
      foreignColumns: [courseVersions.courseId, courseVersions.version],
    }),
  ],
);

/** `lesson` and `exercises` are shown; `keys` has the right answers by the ID of the exercise. */
export const lessons = pgTable(
  "lessons",
  {
    id: uuid("id").notNull(),
    version: integer("version").notNull(),
    courseId: uuid("course_id").notNull(),
    position: smallint("position").notNull(),
    unit: smallint("unit").notNull(),
    requires: uuid("requires").array().notNull(),
    xpReward: smallint("xp_reward").notNull(),
    perfectBonus: smallint("perfect_bonus").notNull(),
    lesson: jsonb("lesson").notNull(),
    exercises: jsonb("exercises").notNull(),
    keys: jsonb("keys").notNull(),
    words: uuid("words").array().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.id, table.version] }),
    uniqueIndex("lessons_course_idx").on(table.courseId, table.version, table.position),
    foreignKey({
      columns: [table.courseId, table.version],
      foreignColumns: [courseVersions.courseId, courseVersions.version],
    }),
  ],
);

/** `word` is shown; `keys` are the right answers of its card. */
export const words = pgTable(
  "words",
  {
    id: uuid("id").notNull(),
    version: integer("version").notNull(),
    courseId: uuid("course_id").notNull(),
    position: smallint("position").notNull(),
    word: jsonb("word").notNull(),
    keys: jsonb("keys").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.id, table.version] }),
    uniqueIndex("words_course_idx").on(table.courseId, table.version, table.position),
    foreignKey({
      columns: [table.courseId, table.version],
      foreignColumns: [courseVersions.courseId, courseVersions.version],
    }),
  ],
);

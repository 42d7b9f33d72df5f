import type { NeonQueryFunction } from "@neondatabase/serverless";
import { courseFolders, readCourse } from "./read-course.js";
import { type SeedOutcome, seedCourse } from "./seed.js";

/** Every course of `drizzle/content`. Safe to repeat. Stops at the first that is refused. */
export async function seedCourses(
  sql: NeonQueryFunction<false, false>,
): Promise<{ name: string; version: number; outcome: SeedOutcome }[]> {
  const seeded = [];
  for (const folder of courseFolders()) {
    const source = readCourse(folder);
    const outcome = await seedCourse(sql, source);
    seeded.push({ name: source.name, version: source.info.version, outcome });
  }
  return seeded;
}

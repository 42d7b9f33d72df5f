import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import * as z from "zod";
import { CourseInfo, type CourseSource, referenceFiles, UnitSource, WordSource } from "./source.js";

const root = new URL("../../drizzle/content/", import.meta.url).pathname;

/** The folders of `drizzle/content`. */
export function courseFolders(folder = root): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(folder, name))
    .toSorted();
}

/** Throws with file and place for what does not have the form of a course. */
export function readCourse(folder: string): CourseSource {
  const hash = createHash("sha256");
  const read = <S extends z.ZodType>(file: string, schema: S): z.output<S> => {
    const text = readFileSync(join(folder, file), "utf8");
    hash.update(`${file}\n${text}\n`);
    const parsed = schema.safeParse(parse(text));
    if (!parsed.success) throw new Error(`${folder}/${file}\n${z.prettifyError(parsed.error)}`);
    return parsed.data;
  };
  const info = read("course.yaml", CourseInfo);
  const words = read("words.yaml", z.array(WordSource));
  const units = info.units.map((id) => read(`units/${id}.yaml`, UnitSource));
  const reference = Object.fromEntries(
    Object.entries(referenceFiles).map(([name, schema]) => [name, read(`${name}.yaml`, schema)]),
  ) as CourseSource["reference"];
  const name = folder.split("/").at(-1) ?? "";
  return { name, info, words, units, reference, digest: hash.digest("hex") };
}

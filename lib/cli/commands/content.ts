import { ContentVersionList } from "../../content/publish.js";
import { matching, numberFrom } from "../checks.js";
import type { Command } from "../command.js";
import { FailedError } from "../failures.js";
import { table } from "../text.js";

const at = "/api/ops/courses";

const status: Command = {
  name: "content status",
  args: [],
  summary: "the versions of all courses, and which of them is published",
  async run({ api }) {
    const found = await api.get(ContentVersionList, at);
    const rows = found.items.map((one) => ({
      course: nameOf(one),
      version: one.version,
      state: one.state,
      lessons: one.lessons,
      words: one.words,
      seeded: one.createdAt,
      replaced: one.replacedAt,
    }));
    return { body: found, text: table(rows, "No content. Seed it with `npm run db:seed`.") };
  },
};

const publish: Command = {
  name: "content publish",
  args: ["COURSE", "VERSION"],
  names: { what: "course", shownBy: "content status" },
  summary: "publish a version of a course, or an older one again",
  checks: {
    COURSE: matching(/^[a-z]{2,3}(-[\w-]+)?-[a-z]{2,3}$/i, "a course, such as es-en"),
    VERSION: numberFrom(1, 1_000_000),
  },
  notes:
    "Lessons that learners have begun keep their version. Edge caches follow within five minutes.",
  changes: true,
  async run({ api, args: [course = "", version] }) {
    const { items } = await api.get(ContentVersionList, at);
    const known = items.find((one) => nameOf(one) === course.toLowerCase());
    if (!known) {
      const names = [...new Set(items.map(nameOf))].join(", ") || "none";
      throw new FailedError(`There is no course ${course}. Courses: ${names}.`);
    }
    return api.change("PUT", `${at}/${known.courseId}`, { version: Number(version) });
  },
};

function nameOf({
  targetLanguage,
  nativeLanguage,
}: {
  targetLanguage: string;
  nativeLanguage: string;
}): string {
  return `${targetLanguage}-${nativeLanguage}`.toLowerCase();
}

export const content = [status, publish];

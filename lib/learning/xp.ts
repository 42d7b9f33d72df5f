import * as z from "zod";

export const xpKinds = ["lesson_first", "answers", "perfect", "lesson_repeat"] as const;

/** `fact` is what earned the points: it pays once for each kind. */
export interface XpEntry {
  kind: (typeof xpKinds)[number];
  fact: string;
  xp: number;
}

const leagues = ["bronze", "silver", "gold", "platinum", "diamond"] as const;

export const standing = {
  totalXp: z.int().min(0),
  level: z.int().min(1),
  league: z.enum(leagues),
};

export type Standing = z.infer<z.ZodObject<typeof standing>>;

const leagueFrom = [
  ["diamond", 6001],
  ["platinum", 3001],
  ["gold", 1501],
  ["silver", 501],
] as const;

export function standingOf(totalXp: number): Standing {
  const [league] = leagueFrom.find(([, from]) => totalXp >= from) ?? ["bronze" as const];
  return { totalXp, level: Math.floor(totalXp / 1000) + 1, league };
}

interface CompletedLesson {
  lessonId: string;
  attemptId: string;
  xpReward: number;
  perfectBonus: number;
  firstTryRights: number;
  isPerfect: boolean;
  isFirst: boolean;
}

const xpPerAnswer = 5;
/** A repeated lesson pays a fifth. */
const repeatShare = 5;

export function lessonXp({ lessonId, attemptId, isFirst, ...lesson }: CompletedLesson): XpEntry[] {
  const answers = xpPerAnswer * lesson.firstTryRights;
  const bonus = lesson.isPerfect ? lesson.perfectBonus : 0;
  if (!isFirst) {
    const xp = Math.floor((answers + lesson.xpReward + bonus) / repeatShare);
    return [{ kind: "lesson_repeat", fact: attemptId, xp }];
  }
  return [
    { kind: "lesson_first", fact: lessonId, xp: lesson.xpReward },
    { kind: "answers", fact: attemptId, xp: answers },
    ...(lesson.isPerfect ? [{ kind: "perfect" as const, fact: lessonId, xp: bonus }] : []),
  ];
}

export const sumOf = (entries: readonly { xp: number }[]): number =>
  entries.reduce((sum, { xp }) => sum + xp, 0);

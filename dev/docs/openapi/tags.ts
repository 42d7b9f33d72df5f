import { isRouteGroup } from "../../../lib/admission/route-groups.js";
import type { Operation } from "./routes.js";

/** The tag of an operation: the folder of its file, below api/ or api/ops/. */
export function tagOf({ path }: Operation): string {
  const [, , ...segments] = path.split("/");
  const [first = "", second = "", third] = segments;
  if (first === "ops") return third === undefined && !isFolder(second) ? "operations" : second;
  return second === "" && !isFolder(first) ? "service" : first;
}

export function tagDescription(tag: string): string {
  return descriptions[tag] ?? `Routes under ${tag}.`;
}

const isFolder = (name: string) => name in descriptions || isRouteGroup(name);

const descriptions: Record<string, string> = {
  auth: "Registration, sign-in, sessions' tokens, mailed codes and the second factor.",
  user: "The signed-in person's own account.",
  languages: "The languages of the world.",
  courses: "The courses and their units.",
  lessons: "The lessons of the courses.",
  attempts: "Attempts of lessons: answers, completion.",
  progress: "The learner's own progress.",
  learn: "Reference pages of a language.",
  stt: "Speech to text.",
  cron: "Jobs that the platform's clock calls.",
  webhooks: "Deliveries of other services.",
  service: "The API itself: state, flags, metrics and this document.",
  alerts: "Alerts, their rules, silences and tests.",
  audit: "The audit log and its verification.",
  backups: "Snapshots, their schedule and their check.",
  blocks: "Blocked addresses, networks and people.",
  breakers: "Circuit breakers of outside services.",
  crons: "Jobs of the clock and their runs.",
  db: "The state of Postgres.",
  drills: "Restore drills.",
  flags: "Kill switches and feature flags.",
  incidents: "Incidents with their timelines.",
  jobs: "Queued jobs.",
  jwt: "Keys and tokens.",
  "mail-suppressions": "Addresses to which no mail is sent.",
  "operator-tokens": "Tokens of machines.",
  operators: "Accounts with operator rights.",
  outbox: "Mail and notices that are to be sent.",
  "rate-limits": "Rate limits and their counters.",
  redis: "The state of Redis.",
  sessions: "Sessions of users.",
  "sign-ins": "Sign-in of operators.",
  users: "Accounts of users.",
  operations: "State, logs and other actions of operators.",
};

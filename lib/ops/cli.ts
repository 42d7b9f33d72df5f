import process from "node:process";
import { parseArgs } from "node:util";
import { Health } from "./health.js";

const usage = `usage: npm run ops -- health [--url URL] [--json]

  health   the state of the server and what it depends on
  --url    the deployment to ask (default: http://localhost:$PORT)
  --json   print the answer as it came

exit status: 0 all is well, 1 a problem was found, 2 wrong usage`;

process.exitCode = await ops(process.argv.slice(2));

/** The operators' command line. It speaks HTTP only, so it works against any deployment. */
async function ops(args: string[]): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    return misused(error instanceof Error ? error.message : String(error));
  }
  const { positionals, values } = parsed;
  if (positionals.length !== 1 || positionals[0] !== "health") return misused("Which command?");
  if (!URL.canParse(values.url)) return misused(`Not a URL: ${values.url}`);
  return showHealth(new URL("/api/health", values.url), values.json);
}

function parse(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      url: { type: "string", default: `http://localhost:${process.env.PORT || 8080}` },
      json: { type: "boolean", default: false },
    },
  });
  return { values, positionals };
}

async function showHealth(url: URL, asJson: boolean): Promise<number> {
  let body: unknown;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
    body = await response.json();
  } catch {
    console.error(`${url.origin} does not answer.`);
    return 1;
  }
  const health = Health.safeParse(body);
  if (!health.success) {
    console.error(`${url.href} does not answer as this backend does.`);
    return 1;
  }
  if (asJson) console.log(JSON.stringify(health.data));
  else {
    const { status, version, releaseId, checks } = health.data;
    console.log(`${status}  version ${version}  release ${releaseId}`);
    for (const [name, [check]] of Object.entries(checks)) {
      const value = check?.observedValue === undefined ? "" : check.observedValue;
      const detail = check?.output ?? `${value} ${check?.observedUnit ?? ""}`;
      console.log(`${check?.status.padEnd(5)} ${name.padEnd(24)} ${detail.trim()}`);
    }
  }
  return health.data.status === "pass" ? 0 : 1;
}

function misused(reason: string): number {
  console.error(`${reason}\n\n${usage}`);
  return 2;
}

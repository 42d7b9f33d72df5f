import { describe, expect, it } from "vitest";
import { bundleSizes } from "../../dev/bench/bundles.js";
import {
  compare,
  comparedContenders,
  keptValuesOf,
  problemsOf,
  readKept,
} from "../../dev/bench/check.js";
import type { Measured } from "../../dev/bench/report.js";
import type { Row } from "../../dev/bench/rounds.js";

const user = "GET /api/user: CPU / bare";
const login = "POST /api/auth/login: CPU / bare";
const median = "median bundle, loaded before the first reply: KB";

/** A run in which all ratios are 1, except for these. */
function run({ cpu = 1, logins = 1, medianLoadedKb = 500 } = {}): Measured {
  const row = (caseName: string, name: string, ratio: Partial<Row["ratio"]> = {}): Row => ({
    caseName,
    name,
    perSecond: 1,
    p50Ms: 1,
    p97Ms: 1,
    p99Ms: 1,
    cpuUs: 1,
    failures: 0,
    ratio: { perSecond: 1, cpu: 1, ...ratio },
    samples: [],
  });
  return {
    rows: [
      row("GET /api/user", "bare", { cpu }),
      row("GET /api/user", "without events"),
      row("GET /api/user, 10,000 people", "one person"),
      row("POST /api/auth/login", "bare", { cpu: logins }),
      row("POST /api/auth/refresh", "bare"),
      row("GET /api/user over HTTP", "bare"),
    ],
    bundles: {
      medianKb: 800,
      largestKb: 900,
      largestFunction: "",
      medianLoadedKb,
      medianFunction: "",
      medianByPackageKb: {},
    },
  };
}

const kept = keptValuesOf(run());
const problems = (result: Measured, values = kept) => problemsOf(compare(result, values));

describe("bench --check", () => {
  it("compares ratios within one run and sizes, and nothing that depends on the machine", () => {
    expect(Object.keys(kept)).toEqual([
      user,
      "GET /api/user: CPU of many people / one person",
      "POST /api/auth/refresh: CPU / bare",
      "GET /api/user over HTTP: CPU / bare",
      median,
      login,
      "largest bundle: KB",
      "median bundle, with what is loaded later: KB",
    ]);
  });

  it("has a value for each of them", async () => {
    expect(Object.keys(await readKept("real stores"))).toEqual(Object.keys(kept));
  });

  it("accepts an unchanged run, and one that varies within the tolerance", () => {
    expect(problems(run())).toEqual([]);
    expect(problems(run({ cpu: 1.07, logins: 1.07, medianLoadedKb: 509 }))).toEqual([]);
  });

  it("fails when a request becomes 18 % more expensive, with the values in the message", () => {
    expect(problems(run({ cpu: 1.18 }))).toEqual([
      expect.stringMatching(
        /^LOST: GET \/api\/user: CPU \/ bare is 1\.18; it was 1\.00, and 1\.\d+ is/,
      ),
    ]);
    expect(problems(run({ logins: 1.18 }))).toEqual([expect.stringContaining(login)]);
    expect(problems(run({ medianLoadedKb: 515 }))).toEqual([expect.stringContaining(median)]);
  });

  it("reports a better value without failing", () => {
    const better = run({ cpu: 0.8, logins: 0.8, medianLoadedKb: 400 });
    const found = compare(better, kept).filter(({ verdict }) => verdict === "better");
    expect(found.map(({ what }) => what)).toEqual([user, median, login]);
    expect(problems(better)).toEqual([]);
  });

  it("fails for a value that was not measured, and for one that the file does not have", () => {
    const { [user]: _, ...others } = kept;
    expect(problems(run({ cpu: Number.NaN }))).toEqual([
      `${user} was not measured, or requests failed in every round.`,
    ]);
    expect(problems(run(), { ...kept, gone: 1 })).toEqual([expect.stringMatching(/^gone was not/)]);
    expect(problems(run(), others)).toEqual([expect.stringContaining(`${user} has no value`)]);
  });

  it("keeps no values of a run in which one was not measured", () => {
    expect(() => keptValuesOf(run({ cpu: Number.NaN }))).toThrow(`${user} was not measured`);
  });

  it("measures only cases with another contender", () => {
    const contender = (caseName: string, name: string) => ({
      caseName,
      name,
      measure: () => Promise.reject(),
    });
    const compared = [contender("one", "ours"), contender("one", "bare")];
    expect(comparedContenders([...compared, contender("two", "ours")])).toEqual(compared);
  });
});

describe("bundle sizes", () => {
  const built = (file: string, bytes: number, bytesByPackage: Record<string, number>) => ({
    file,
    bytes: 1024 * bytes,
    bytesByPackage: Object.fromEntries(
      Object.entries(bytesByPackage).map(([name, kb]) => [name, 1024 * kb]),
    ),
  });

  it("are the median and the largest of all functions, and the packages of the median one", () => {
    const functions = [
      built("api/large.ts", 8, { zod: 9 }),
      built("api/small.ts", 1, { zod: 1 }),
      built("api/middle.ts", 2, { zod: 1, jose: 3 }),
    ];
    const sizes = bundleSizes(functions);
    expect(sizes).toEqual({
      medianKb: 4,
      largestKb: 9,
      largestFunction: "api/large.ts",
      medianLoadedKb: 2,
      medianFunction: "api/middle.ts",
      medianByPackageKb: { jose: 3, zod: 1 },
    });
    expect(Object.keys(sizes.medianByPackageKb)).toEqual(["jose", "zod"]);
  });

  it("sum up the packages after the ten largest", () => {
    const packages = Object.fromEntries(Array.from({ length: 12 }, (_, at) => [`p${at}`, 20 - at]));
    const { medianByPackageKb } = bundleSizes([built("api/one.ts", 1, packages)]);
    expect(Object.entries(medianByPackageKb).slice(-2)).toEqual([
      ["p9", 11],
      ["2 others", 19],
    ]);
  });
});

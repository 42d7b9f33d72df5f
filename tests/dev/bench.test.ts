import { createServer } from "node:http";
import process from "node:process";
import { afterEach, describe, expect, it } from "vitest";
import { CleanUp } from "../../dev/bench/clean-up.js";
import { readOptions } from "../../dev/bench/options.js";
import { type BenchResult, judge } from "../../dev/bench/report.js";
import { type Contender, load, type Row, runRounds, type Sample } from "../../dev/bench/rounds.js";
import { readUsage } from "../../dev/bench/server.js";
import { areaUnderCurve } from "../../dev/bench/timing.js";
import { listenLocally } from "../../dev/stand-in.js";

describe("bench statistics", () => {
  it("compute the area under the ROC curve of two sets of values", () => {
    expect(areaUnderCurve([3, 4], [1, 2])).toBe(1);
    expect(areaUnderCurve([1, 2], [3, 4])).toBe(0);
    expect(areaUnderCurve([1, 1, 2], [1, 1, 2])).toBe(0.5);
    expect(areaUnderCurve([1, 3], [2])).toBe(0.5);
    expect(areaUnderCurve([2, 3], [1, 3])).toBe(0.625);
  });
});

describe("bench options", () => {
  it("have defaults", () => {
    const open = { open: false, rate: 1000, people: 10_000 };
    expect(readOptions([], {})).toEqual({ seconds: 5, connections: 32, rounds: 3, ...open });
    expect(readOptions(["--open"], {})).toMatchObject({ open: true, seconds: 60 });
  });

  it.each([
    ["seconds", "0"],
    ["seconds", "601"],
    ["rounds", "1.5"],
    ["connections", "many"],
  ])("reject --%s %s", (name, value) => {
    expect(() => readOptions([`--${name}`, value], {})).toThrow(`at ${name}`);
  });

  it("reject --peers without DATABASE_URL, and an unknown option", () => {
    expect(() => readOptions(["--peers", "somewhere"], {})).toThrow("DATABASE_URL");
    expect(() => readOptions(["--second", "1"], {})).toThrow(/--second.*\nUsage: npm run bench/s);
  });
});

describe("readUsage", () => {
  it.runIf(process.platform === "linux")(
    "returns the CPU time and the peak memory of a process, also if its name contains parentheses",
    () => {
      const { title } = process;
      process.title = "(node) x (y)";
      const usage = readUsage(process.pid);
      process.title = title;
      const { user, system } = process.cpuUsage();
      expect(usage.cpuMs).toBeGreaterThan(0);
      expect(Math.abs(usage.cpuMs - (user + system) / 1000)).toBeLessThan(100);
      expect(usage.peakRssMb).toBeGreaterThan(20);
    },
  );

  it("returns NaN for a process that does not exist", () => {
    expect(readUsage(2 ** 30)).toEqual({
      cpuMs: Number.NaN,
      rssMb: Number.NaN,
      peakRssMb: Number.NaN,
    });
  });
});

const sample = (perSecond: number, cpuUs = 1): Sample => ({
  perSecond,
  p50Ms: 1,
  p97Ms: 2,
  p99Ms: 3,
  cpuUs,
  failures: 1,
});

describe("bench rounds", () => {
  const options = { rounds: 2, seconds: 3, connections: 4, json: "file" };
  const replay = (caseName: string, name: string, samples: Sample[]): Contender => ({
    caseName,
    name,
    measure: async () => samples.shift() ?? sample(Number.NaN),
  });

  it("run the contenders in turn, only with the options of the load", async () => {
    const log: string[] = [];
    const contender = (caseName: string, name: string): Contender => ({
      caseName,
      name,
      async measure(scale) {
        log.push(name);
        expect(scale).toEqual({ seconds: 3, connections: 4 });
        return sample(1);
      },
    });
    const contenders = [contender("first", "a"), contender("first", "b"), contender("second", "a")];
    const rounds: string[] = [];
    await runRounds(contenders, options, (round) => rounds.push(round));
    expect(log).toEqual(Array(3).fill(["a", "b", "a"]).flat());
    expect(rounds).toEqual(["Warm-up", "Round 1 of 2", "Round 2 of 2"]);
  });

  it("give medians without the warm-up, and ratios within each round", async () => {
    const contenders = [
      replay("read", "ours", [sample(999, 999), sample(100, 20), sample(10, 40)]),
      replay("read", "bare", [sample(1, 1), sample(200, 10), sample(20, 20)]),
      replay("other", "ours", [sample(1), sample(1), sample(1)]),
    ];
    expect(await runRounds(contenders, options, () => {})).toMatchObject([
      { caseName: "read", name: "ours", perSecond: 55, cpuUs: 30, failures: 2 },
      { name: "bare", perSecond: 110, cpuUs: 15, ratio: { perSecond: 0.5, cpu: 2 } },
      { caseName: "other", name: "ours", perSecond: 1, ratio: { perSecond: 1, cpu: 1 } },
    ]);
  });
});

describe("bench targets", () => {
  const row = (caseName: string, name: string, ratio: Row["ratio"]): Row => ({
    ...sample(1000),
    caseName,
    name,
    ratio,
  });
  const result: BenchResult = {
    environment: "",
    options: { seconds: 1, rounds: 1, connections: 1, open: false, rate: 1, people: 1 },
    rows: [
      row("GET /api/user over HTTP", "ours", { perSecond: 1, cpu: 1 }),
      row("GET /api/user", "bare", { perSecond: 0.5, cpu: 2.01 }),
      row("GET /api/user", "without events", { perSecond: 1, cpu: Number.NaN }),
    ],
    coldStart: { firstReplyMs: 1, largestFunction: "", importMs: 1, importCpuMs: 80.1 },
    peakRssMb: 256,
    timings: {},
  };
  const verdict = (text: string) =>
    judge(result).find(({ target }) => target.includes(text))?.verdict;

  it("are met at the limit and missed beyond it", () => {
    expect(verdict("over HTTP: req/s")).toBe("met");
    expect(verdict("peak RSS")).toBe("met");
    expect(verdict("CPU / bare")).toBe("MISSED");
    expect(verdict("largest function")).toBe("MISSED");
    expect(verdict("failed requests")).toBe("MISSED");
  });

  it("are reported as not measured without a measurement", () => {
    expect(verdict("/ peer")).toBe("not measured");
    expect(verdict("/ without events")).toBe("not measured");
    expect(verdict("known / unknown")).toBe("not measured");
  });
});

describe("bench load", () => {
  const cleanUp = new CleanUp();
  afterEach(() => cleanUp.run(console.error));

  it("measures every reply, and counts a reply with an unexpected status as a failure", async () => {
    let count = 0;
    const server = createServer((_request, response) => {
      response.writeHead(++count % 2 === 0 ? 200 : 401).end();
    });
    const { url, close } = await listenLocally(server);
    cleanUp.later(close);
    const result = await load({ url, status: 401, connections: 2, seconds: 0.2 });
    expect(Math.abs(result.replies - count)).toBeLessThanOrEqual(2);
    expect(Math.abs(result.failures - result.replies / 2)).toBeLessThanOrEqual(1);
    expect(result.perSecond).toBeGreaterThan(0);
    expect(result.p99Ms).toBeGreaterThanOrEqual(result.p50Ms);
  });

  it("rejects a URL of another machine", async () => {
    const otherMachine = { url: "http://example.com/", connections: 1, seconds: 1 };
    await expect(load(otherMachine)).rejects.toThrow("example.com");
  });
});

describe("CleanUp", () => {
  it("runs the steps once, in reverse order, and continues after a step that fails", async () => {
    const log: string[] = [];
    const cleanUp = new CleanUp();
    cleanUp.later(async () => log.push("first"));
    cleanUp.later(async () => {
      throw new Error("stuck");
    });
    cleanUp.later(async () => log.push("last"));
    await cleanUp.run((problem) => log.push(problem));
    await cleanUp.run((problem) => log.push(problem));
    expect(log).toEqual(["last", "Not cleaned up: Error: stuck", "first"]);
  });
});

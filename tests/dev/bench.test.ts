import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { afterEach, describe, expect, it } from "vitest";
import { CleanUp } from "../../dev/bench/clean-up.js";
import { load } from "../../dev/bench/load.js";
import { readOptions } from "../../dev/bench/options.js";
import { cpuMsOf, peakRssBytesOf, readUsage } from "../../dev/bench/process-usage.js";
import { figure, table } from "../../dev/bench/report.js";
import { type BenchResult, ratiosOf, rowsOf } from "../../dev/bench/result.js";
import { type Contender, type Measured, runRounds, type Sample } from "../../dev/bench/rounds.js";
import { areaUnderCurve, median, medianRatio, percentile } from "../../dev/bench/statistics.js";
import { judge } from "../../dev/bench/targets.js";

describe("bench statistics", () => {
  it("computes the median: the middle value, or the mean of the two middle values", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it("computes a percentile by nearest rank, for values in any order", () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentile(hundred, 0.5)).toBe(50);
    expect(percentile(hundred, 0.95)).toBe(95);
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile([7], 0.95)).toBe(7);
    expect(percentile([], 0.5)).toBeNaN();
  });

  it("computes the area under the ROC curve of two sets of values", () => {
    expect(areaUnderCurve([3, 4], [1, 2])).toBe(1);
    expect(areaUnderCurve([1, 2], [3, 4])).toBe(0);
    expect(areaUnderCurve([1, 1, 2], [1, 1, 2])).toBe(0.5);
    expect(areaUnderCurve([1, 3], [2])).toBe(0.5);
    expect(areaUnderCurve([2, 3], [1, 3])).toBe(0.625);
  });

  it("compares values within each round, so that a slow round does not change the ratio", () => {
    expect(medianRatio([20, 2, 200], [10, 1, 100])).toBe(2);
    expect(medianRatio([20, 30], [10])).toBe(2);
  });
});

describe("bench options", () => {
  const now = new Date("2026-01-02T03:04:05.678Z");

  it("have defaults, and a results file named after the current time", () => {
    expect(readOptions([], {}, now)).toEqual({
      seconds: 5,
      connections: 32,
      rounds: 3,
      pairs: 0,
      peers: undefined,
      jsonFile: "bench-results/2026-01-02T03-04-05-678Z.json",
      strict: false,
    });
  });

  it.each([
    ["--seconds", "0"],
    ["--seconds", "601"],
    ["--rounds", "1.5"],
    ["--connections", "many"],
  ])("reject %s %s", (name, value) => {
    expect(() => readOptions([name, value], {}, now)).toThrow(name);
  });

  it("reject --peers without DATABASE_URL, and an unknown option", () => {
    expect(() => readOptions(["--peers", "somewhere"], {}, now)).toThrow("DATABASE_URL");
    expect(() => readOptions(["--second", "1"], {}, now)).toThrow(
      /--second.*\nusage: npm run bench/s,
    );
  });
});

describe("readUsage", () => {
  it("parses /proc files also when the process name contains spaces and parentheses", () => {
    const stat = "42 (node) x (y) S 1 42 42 0 -1 4194304 100 0 0 0 12 34 0 0 20 0 11 0";
    expect(cpuMsOf(stat)).toBe(460);
    expect(peakRssBytesOf("VmPeak:\t  900 kB\nVmHWM:\t  300 kB\nVmRSS:\t 200 kB\n")).toBe(307_200);
  });

  it.runIf(process.platform === "linux")(
    "returns the CPU time and the peak memory of the current process",
    () => {
      const usage = readUsage(process.pid);
      const { user, system } = process.cpuUsage();
      expect(usage?.cpuMs).toBeGreaterThan(0);
      expect(Math.abs((usage?.cpuMs ?? 0) - (user + system) / 1000)).toBeLessThan(100);
      expect(usage?.peakRssBytes).toBeGreaterThan(20 * 2 ** 20);
    },
  );

  it("returns undefined for a process that does not exist", () => {
    expect(readUsage(2 ** 30)).toBeUndefined();
  });
});

const sample = (perSecond: number, cpuUs?: number): Sample => ({
  perSecond,
  p50Ms: 1,
  p95Ms: 2,
  p99Ms: 3,
  cpuUs,
  failures: 1,
});

describe("bench rounds", () => {
  const contender = (name: string, log: string[]): Contender => ({
    name,
    measure: async (seconds) => {
      log.push(`${name} ${seconds}`);
      return sample(log.length);
    },
  });

  it("run the contenders in turn, and discard the warm-up round", async () => {
    const log: string[] = [];
    const startedRounds: number[] = [];
    const [a, b] = [contender("a", log), contender("b", log)];
    const cases = [
      { name: "first", contenders: [a, b] },
      { name: "second", contenders: [a] },
    ];
    const measured = await runRounds(cases, { rounds: 2, seconds: 3 }, (round) =>
      startedRounds.push(round),
    );
    expect(log).toEqual(Array(3).fill(["a 3", "b 3", "a 3"]).flat());
    expect(startedRounds).toEqual([0, 1, 2]);
    expect(measured.map(({ samples }) => samples.map(({ perSecond }) => perSecond))).toEqual([
      [4, 7],
      [5, 8],
      [6, 9],
    ]);
  });
});

describe("bench result", () => {
  const measured: Measured[] = [
    { caseName: "read", contender: "ours", samples: [sample(100, 20), sample(10, 20)] },
    { caseName: "read", contender: "bare", samples: [sample(200, 10), sample(20, 10)] },
    { caseName: "other", contender: "ours", samples: [sample(1)] },
  ];

  it("has the medians of each contender, and the sum of its failures", () => {
    expect(rowsOf(measured)).toMatchObject([
      { caseName: "read", contender: "ours", perSecond: 55, cpuUs: 20, failures: 2 },
      { caseName: "read", contender: "bare", perSecond: 110, cpuUs: 10, failures: 2 },
      { caseName: "other", contender: "ours", perSecond: 1, cpuUs: undefined, failures: 1 },
    ]);
  });

  it("has the ratios between the first contender of a case and the others", () => {
    expect(ratiosOf(measured)).toEqual([{ caseName: "read", to: "bare", perSecond: 0.5, cpu: 2 }]);
  });
});

describe("bench targets", () => {
  const result: Omit<BenchResult, "verdicts"> = {
    at: "",
    node: "",
    cpus: 2,
    stores: [],
    rounds: 1,
    seconds: 1,
    connections: 1,
    rows: [{ caseName: "GET /api/user over HTTP", contender: "ours", ...sample(1000) }],
    ratios: [{ caseName: "GET /api/user", to: "bare", perSecond: 0.5, cpu: 2.01 }],
    storeCalls: {},
    peakRssBytes: 256 * 2 ** 20,
    coldStart: { firstReplyMs: 1, loadCpuMs: 80.1, loadMs: 1, loadedFunction: "" },
    bundleBytes: {},
    likeness: [],
  };
  const outcome = (text: string) =>
    judge(result).find(({ target }) => target.includes(text))?.outcome;

  it("pass at the limit and miss above it", () => {
    expect(outcome("1000 requests a second")).toBe("PASS");
    expect(outcome("peak RSS")).toBe("PASS");
    expect(outcome("GET /api/user: CPU")).toBe("MISS");
    expect(outcome("loads in")).toBe("MISS");
    expect(outcome("no request failed")).toBe("MISS");
  });

  it("are reported as not measured without a measurement", () => {
    expect(outcome("the peer's")).toBe("not measured");
  });
});

describe("bench report", () => {
  it("aligns text to the left and numbers to the right", () => {
    expect(
      table(
        ["name", "req/s"],
        [
          ["a", "5"],
          ["longer", "12345"],
        ],
      ),
    ).toBe(["name    req/s", "a           5", "longer  12345"].join("\n"));
  });

  it("writes a dash for a missing measurement", () => {
    expect(figure(undefined)).toBe("-");
    expect(figure(Number.NaN, 2)).toBe("-");
    expect(figure(1.255, 1)).toBe("1.3");
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
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanUp.later(async () => {
      server.closeAllConnections();
      server.close();
    });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const result = await load({ url, expectedStatus: 401, connections: 2, seconds: 0.2 });
    expect(Math.abs(result.replies - count)).toBeLessThanOrEqual(2);
    expect(Math.abs(result.failures - result.replies / 2)).toBeLessThanOrEqual(1);
    expect(result.p50Ms).toBeGreaterThan(0);
    expect(result.p99Ms).toBeGreaterThanOrEqual(result.p50Ms);
  });

  it("rejects a URL of another machine", async () => {
    const otherMachine = {
      url: "http://example.com/",
      expectedStatus: 200,
      connections: 1,
      seconds: 1,
    };
    await expect(load(otherMachine)).rejects.toThrow("example.com");
  });
});

describe("CleanUp", () => {
  it("runs the steps once, in reverse order, and continues after a step that fails", async () => {
    const log: string[] = [];
    const cleanUp = new CleanUp();
    cleanUp.later(async () => void log.push("first"));
    cleanUp.later(async () => {
      throw new Error("stuck");
    });
    cleanUp.later(async () => void log.push("last"));
    await cleanUp.run((problem) => log.push(problem));
    await cleanUp.run((problem) => log.push(problem));
    expect(log).toEqual(["last", "Not cleaned up: Error: stuck", "first"]);
  });
});

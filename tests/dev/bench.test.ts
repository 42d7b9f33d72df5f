import { createServer } from "node:http";
import process from "node:process";
import { afterEach, describe, expect, it } from "vitest";
import { CleanUp } from "../../dev/bench/clean-up.js";
import { readOptions } from "../../dev/bench/options.js";
import { type BenchResult, judge } from "../../dev/bench/report.js";
import {
  type Contender,
  load,
  type Row,
  runRounds,
  type Sample,
  type Scale,
} from "../../dev/bench/rounds.js";
import { readUsage } from "../../dev/bench/server.js";
import { areaUnderCurve } from "../../dev/bench/timing.js";
import { listenLocally } from "../../dev/listen-locally.js";

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
    const more = { open: false, rate: 1000, people: 10_000, check: false, write: false };
    expect(readOptions([], {})).toEqual({ seconds: 5, connections: 32, rounds: 3, ...more });
    expect(readOptions(["--check"], {})).toMatchObject({ check: true, seconds: 2, rounds: 5 });
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

  it.each([
    ["--check --open", "--check cannot be used with --open."],
    ["--check --peers folder", "--check cannot be used with --peers."],
    ["--check --pairs 3", "--check cannot be used with --pairs."],
    ["--write", "--write needs --check."],
    ["--people 31", "--people must be at least --connections."],
  ])("reject %s", (args, message) => {
    const stores = { DATABASE_URL: "url", REDIS_URL: "url" };
    expect(() => readOptions(args.split(" "), stores)).toThrow(message);
  });

  it("reject --check with one real and one embedded store", () => {
    expect(() => readOptions(["--check"], { REDIS_URL: "url" })).toThrow("both of DATABASE_URL");
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
  failures: 0,
});

describe("bench rounds", () => {
  const options = { rounds: 2, seconds: 3, connections: 4, json: "file" };
  const warmUp = sample(10_000, 999);
  const replay = (caseName: string, name: string, samples: Sample[]): Contender => ({
    caseName,
    name,
    measure: async () => samples.shift() ?? sample(Number.NaN),
  });

  it("run the contenders in turn, only with the options of the load", async () => {
    const log: string[] = [];
    const scales: Scale[] = [];
    const contender = (caseName: string, name: string): Contender => ({
      caseName,
      name,
      async measure(scale) {
        log.push(name);
        scales.push(scale);
        return sample(10_000);
      },
    });
    const contenders = [contender("first", "a"), contender("first", "b"), contender("second", "a")];
    const rounds: string[] = [];
    await runRounds(contenders, options, (round) => rounds.push(round));
    expect(log).toEqual(Array(3).fill(["a", "b", "a"]).flat());
    expect(scales).toEqual(Array(9).fill({ seconds: 3, connections: 4 }));
    expect(rounds).toEqual(["Warm-up", "Round 1 of 2", "Round 2 of 2"]);
  });

  it("leave rounds with a failed request out of the ratios", async () => {
    const failed = { ...sample(1, 500), failures: 1 };
    const contenders = [
      replay("read", "ours", [warmUp, sample(1, 30), failed]),
      replay("read", "bare", [warmUp, sample(1, 10), sample(1, 10)]),
      replay("read", "failing", [warmUp, failed, failed]),
    ];
    expect(await runRounds(contenders, options, () => {})).toMatchObject([
      { name: "ours", failures: 1 },
      { name: "bare", ratio: { cpu: 3 } },
      { name: "failing", ratio: { cpu: Number.NaN }, failures: 2 },
    ]);
  });

  it("measure as many rounds again once if the result is in doubt", async () => {
    const samples = [warmUp, sample(1), sample(2), sample(3), sample(4)];
    const rounds: string[] = [];
    const isInDoubt = ([row]: Row[]) => row?.perSecond === 1.5;
    const contenders = [replay("read", "ours", samples)];
    const rows = await runRounds(contenders, options, (round) => rounds.push(round), isInDoubt);
    expect(rows).toMatchObject([{ perSecond: 2.5, samples: { length: 4 } }]);
    expect(rounds.slice(1)).toEqual([
      "Round 1 of 2",
      "Round 2 of 2",
      "Round 3 of 4",
      "Round 4 of 4",
    ]);
  });

  it("warm a slow contender up with several loads, for a limited time", async () => {
    const warmUps = Array.from({ length: 4 }, () => sample(1, 999));
    const contenders = [replay("read", "ours", [...warmUps, sample(1, 20), sample(1, 20)])];
    expect(await runRounds(contenders, options, () => {})).toMatchObject([{ cpuUs: 20 }]);
  });

  it("give medians without the warm-up, and ratios within each round", async () => {
    const contenders = [
      replay("read", "ours", [warmUp, sample(100, 20), sample(10, 40)]),
      replay("read", "bare", [warmUp, sample(200, 10), sample(20, 20)]),
      replay("other", "ours", [warmUp, sample(1), sample(1)]),
    ];
    expect(await runRounds(contenders, options, () => {})).toMatchObject([
      { caseName: "read", name: "ours", perSecond: 55, cpuUs: 30, failures: 0 },
      { name: "bare", perSecond: 110, cpuUs: 15, ratio: { perSecond: 0.5, cpu: 2 } },
      { caseName: "other", name: "ours", perSecond: 1, ratio: { perSecond: 1, cpu: 1 } },
    ]);
  });
});

describe("bench targets", () => {
  const row = (caseName: string, name: string, ratio: Row["ratio"]): Row => ({
    ...sample(1000),
    failures: 1,
    samples: [],
    caseName,
    name,
    ratio,
  });
  const result: BenchResult = {
    environment: "",
    options: readOptions([], {}),
    bundles: {
      medianKb: 800,
      largestKb: 900,
      largestFunction: "",
      medianLoadedKb: 450.1,
      medianFunction: "",
      medianByPackageKb: {},
    },
    rows: [
      { ...row("GET /api/livez", "ours", { perSecond: 1, cpu: 1 }), cpuUs: 70 },
      row("GET /api/user over HTTP", "ours", { perSecond: 1, cpu: 1 }),
      row("GET /api/user", "bare", { perSecond: 0.5, cpu: 2.01 }),
      row("GET /api/user", "without events", { perSecond: 1, cpu: Number.NaN }),
    ],
    coldStart: { firstReplyMs: 250, largestFunction: "", importMs: 1, importCpuMs: 60.1 },
    peakRssMb: 200,
    timings: {},
  };
  const find = (text: string, changes: Partial<BenchResult> = {}) =>
    judge({ ...result, ...changes }).find(({ target }) => target.includes(text));
  const verdict = (text: string) => find(text)?.verdict;

  it("are met at the limit and missed beyond it", () => {
    expect(verdict("livez: CPU µs")).toBe("met");
    expect(verdict("first signed-in reply")).toBe("met");
    expect(verdict("peak RSS")).toBe("met");
    expect(verdict("over HTTP: req/s")).toBe("MISSED");
    expect(verdict("median bundle")).toBe("MISSED");
    expect(verdict("CPU / bare")).toBe("MISSED");
    expect(verdict("largest function")).toBe("MISSED");
    expect(verdict("failed requests")).toBe("MISSED");
  });

  it("are reported as not measured without a measurement", () => {
    expect(verdict("/ peer")).toBe("not measured");
    expect(verdict("/ without events")).toBe("not measured");
    expect(verdict("bare CPU / floor")).toBe("not measured");
    expect(verdict("many people / one person")).toBe("not measured");
    expect(verdict("known / unknown")).toBe("not measured");
    expect(find("import of", { coldStart: undefined })?.verdict).toBe("not measured");
  });

  it("compare the bare function with the floor, and many people with one", () => {
    const rows = [
      row("GET /api/user", "bare", { perSecond: 1, cpu: 1.5 }),
      row("GET /api/user", "floor", { perSecond: 1, cpu: 3 }),
      row("GET /api/user, 10,000 people", "ours", { perSecond: 1, cpu: 1 }),
      row("GET /api/user, 10,000 people", "one person", { perSecond: 1, cpu: 1.2 }),
    ];
    expect(find("bare CPU / floor", { rows })).toMatchObject({ measured: 2, verdict: "met" });
    const people = { measured: 1.2, verdict: "MISSED" };
    expect(find("many people / one person", { rows })).toMatchObject(people);
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

  it("sends the headers of all callers, each from one connection, together with the others", async () => {
    const connections = new Map<string, Set<unknown>>();
    const server = createServer(({ headers, socket }, response) => {
      const caller = `${headers.authorization} ${headers["x-shared"]}`;
      connections.set(caller, (connections.get(caller) ?? new Set()).add(socket));
      response.end();
    });
    const { url, close } = await listenLocally(server);
    cleanUp.later(close);
    // So few that each is reached on a busy machine, too: the load ends after a time, not after the last caller.
    const names = Array.from({ length: 60 }, (_, index) => `caller ${index}`);
    const callers = names.map((authorization) => ({ authorization }));
    const headers = { "x-shared": "yes" };
    await load({ url, headers, callers, connections: 3, seconds: 1 });
    expect([...connections.keys()].sort()).toEqual(names.map((name) => `${name} yes`).sort());
    expect([...connections.values()].every(({ size }) => size === 1)).toBe(true);
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

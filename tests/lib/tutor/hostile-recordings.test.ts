import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { audioSeconds } from "../../../lib/tutor/audio-length.js";
import { audioTypeOf } from "../../../lib/tutor/audio-type.js";
import {
  aac,
  box,
  joined,
  mp3,
  mp4InFragments,
  ogg,
  oggPage,
  repeated,
  uint32,
  wav,
  webm,
  webmHead,
} from "../../support/recordings.js";

const folder = join(import.meta.dirname, "recordings");
const real = readdirSync(folder).map(
  (name) => [name, new Uint8Array(readFileSync(join(folder, name)))] as const,
);
const bytesMax = 4 * 1024 * 1024;
const filled = (unit: Uint8Array) => repeated(unit, Math.floor(bytesMax / unit.length));
const nested = (depth: number) => {
  let inner: Uint8Array = new Uint8Array();
  for (let at = 0; at < depth; at += 1) inner = box("moov", inner);
  return inner;
};
const junk = new Uint8Array(16);

type Answer = number | null | string;

/** The length of a file, or the reason why it has none. */
const lengthOf = (file: Uint8Array<ArrayBuffer>): Promise<Answer> =>
  audioSeconds(file, audioTypeOf(file) ?? "").catch((error: Error) => error.message);

/** How often other work ran until a promise settled. */
async function turnsDuring(settled: Promise<unknown>): Promise<number> {
  let turns = 0;
  let isDone = false;
  const turn = () => {
    turns += 1;
    if (!isDone) setImmediate(turn);
  };
  turn();
  await settled;
  isDone = true;
  return turns;
}

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/**
 * The CPU time of the longest turn of the event loop while a length is read. CPU time instead of wall time: a busy machine
 * does not add to it. The shortest of three measurements is taken: compilation and garbage collection also count.
 */
async function longestTurnMs(file: Uint8Array<ArrayBuffer>): Promise<number> {
  let shortest = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 3 && shortest > 25; attempt += 1) {
    let longest = 0;
    let last = cpuMs();
    let isDone = false;
    const turn = () => {
      const now = cpuMs();
      longest = Math.max(longest, now - last);
      last = now;
      if (!isDone) setImmediate(turn);
    };
    setImmediate(turn);
    await lengthOf(file);
    isDone = true;
    turn();
    shortest = Math.min(shortest, longest);
  }
  return shortest;
}

const head = (bytes: number) => [
  3,
  0,
  0,
  bytes >> 21,
  (bytes >> 14) & 127,
  (bytes >> 7) & 127,
  bytes & 127,
];
/** Chunks that WAV readers skip, before the format. */
const wavAfter = (chunk: Uint8Array) =>
  joined("RIFF", uint32(2 ** 31, "LE"), "WAVE", filled(chunk).subarray(0, 4e6), wav(2).slice(12));
/** A packet over several Ogg pages. */
const oggPages = (packet: Uint8Array) =>
  Array.from({ length: Math.ceil((packet.length + 1) / 65_025) }, (_, page) => {
    const body = packet.subarray(page * 65_025, (page + 1) * 65_025);
    const sizes = Array<number>(Math.floor(body.length / 255)).fill(255);
    if (body.length < 65_025) sizes.push(body.length % 255);
    const end = new Uint8Array(8).fill(body.length < 65_025 ? 0 : 255);
    return joined("OggS", [0, 0], end, new Uint8Array(12), [sizes.length, ...sizes], body);
  });
const oggHead = ogg(0).slice(0, 47);
const comments = (list: Uint8Array) => joined("OpusTags", uint32(0), uint32(2 ** 31, "LE"), list);

/** Files that once blocked the event loop for 70 ms to several minutes. */
const slow: [string, Uint8Array<ArrayBuffer>][] = [
  [
    "MPEG headers without a bit rate",
    joined(mp3(2), filled(Buffer.from("fffbf000", "hex")).slice(0, 4e6)),
  ],
  [
    "MPEG headers of the free format",
    joined(mp3(2), filled(Buffer.from("fffb0000", "hex")).slice(0, 4e6)),
  ],
  ["MP3 before zeros", joined(mp3(2), new Uint8Array(4e6))],
  [
    "ID3 tags of no bytes before MP3",
    joined(filled(joined("ID3", head(0))).slice(0, 4e6), mp3(20)),
  ],
  ["an ID3 tag of 4 MB", joined("ID3", head(4e6), filled(joined("TIT2", uint32(0), [0, 0])))],
  ["WAV after empty chunks", wavAfter(joined("junk", uint32(0)))],
  ["WAV after many formats", wavAfter(wav(1).slice(12, 36))],
  [
    "WAV after a list of empty texts",
    wavAfter(joined("LIST", uint32(4e6, "LE"), "INFO", filled(joined("INAM", uint32(0))))),
  ],
  ["MP4 of empty boxes", joined(box("ftyp", "M4A ", uint32(0)), filled(box("free")))],
  ["MP4 of empty fragments", joined(box("ftyp", "M4A ", uint32(0)), filled(box("moof")))],
  ["MP4 of empty tracks", joined(box("ftyp", "M4A ", uint32(0)), box("moov", filled(box("trak"))))],
  ["WebM of empty elements", webm(62, filled(Buffer.from("ec80", "hex")).slice(0, 2e6))],
  ["WebM of empty groups", joined(webmHead(null), filled(Buffer.from("a080", "hex")))],
  [
    "WebM of the smallest blocks",
    joined(webmHead(null), filled(Buffer.from("a38481000080", "hex"))),
  ],
  [
    "Ogg with 600,000 comments of one name",
    joined(oggHead, ...oggPages(comments(filled(joined(uint32(2, "LE"), "A=")).slice(0, 4e6)))),
  ],
  [
    "Ogg with 2,600 comments of one name",
    joined(
      oggHead,
      ...oggPages(comments(repeated(joined(uint32(2, "LE"), "A="), 2600))),
      ogg(1).slice(47 + 44),
    ),
  ],
  ["Ogg of empty pages", joined(ogg(1), filled(joined("OggS", [0, 0], new Uint8Array(21))))],
  [
    "Ogg with a page for each packet",
    joined(
      ogg(1),
      ...Array<Uint8Array>(20_000).fill(
        oggPage(0, new Uint8Array(8).fill(127), new Uint8Array([0x80])),
      ),
    ),
  ],
  ["AAC frames of 7 bytes", filled(aac(1, 7))],
];

const isTooLong = (answer: Answer) => typeof answer === "number" && answer > 60;

describe("a malicious recording", () => {
  it.each<[string, Uint8Array<ArrayBuffer>]>([
    ["four thousand million samples in a dozen bytes of MP4", mp4InFragments([2 ** 32 - 1])],
    ["a million samples in each fragment of MP4", mp4InFragments(Array(2000).fill(1_000_000))],
    ["4 MB of AAC frames of 7 bytes", filled(aac(1, 7))],
    ["4 MB of MP3 frames", filled(mp3(1))],
    ["two Ogg streams that follow each other", joined(ogg(40), ogg(40))],
    [
      "WebM after a million empty elements",
      webm(62, filled(Buffer.from("ec80", "hex")).slice(0, 2e6)),
    ],
  ])("is longer than a minute: %s", async (_, file) => {
    expect(await lengthOf(file)).toSatisfy(isTooLong);
  });

  it.each<[string, Uint8Array<ArrayBuffer>]>([
    ["an MP4 box of no size", joined(box("ftyp", "M4A ", uint32(0)), filled(uint32(0)))],
    ["an MP4 box of 2^63 bytes", joined(box("ftyp", "M4A "), uint32(1), "moov", junk.fill(0x7f))],
    ["2000 MP4 boxes in each other", joined(box("ftyp", "M4A ", uint32(0)), nested(2000))],
    ["an Ogg page that says it has 2^32 comments", ogg(5, uint32(2 ** 32 - 1, "LE"))],
    ["4 MB of Ogg streams that follow each other", filled(ogg(1))],
    ["Ogg pages without a packet", joined(ogg(1), filled(joined("OggS", new Uint8Array(23))))],
    ["a WebM segment of empty elements alone", webm(null, filled(Buffer.from("ec80", "hex")))],
    ["a WebM segment of junk", joined(webmHead(null), filled(junk))],
    ["bytes that might begin an MPEG frame", joined([0xff, 0xfb], filled(Buffer.from([0xff])))],
    ["an ID3 tag of 256 MB", joined("ID3", [3, 0, 0, 127, 127, 127, 127], mp3(2))],
    [
      "WAV chunks without end",
      joined("RIFF", uint32(0), "WAVE", filled(joined("LIST", uint32(0)))),
    ],
  ])("is refused or has no length: %s", async (_, file) => {
    expect(await lengthOf(file)).not.toSatisfy(Number.isFinite);
  });

  it("has the length of its audio when MPEG frames without a bit rate are in between", async () => {
    const between = repeated(Buffer.from("fffbf000", "hex"), 20_000);
    expect(await lengthOf(joined(mp3(2), between, mp3(9)))).toBeCloseTo(0.29, 1);
  });

  it("yields to other work while a minute of audio is read", async () => {
    await lengthOf(mp3(1));
    expect(await turnsDuring(lengthOf(mp3(2297)))).toBeGreaterThan(10);
    expect(await turnsDuring(lengthOf(filled(aac(1, 7))))).toBeGreaterThan(20);
  });

  it.each(slow)("blocks the event loop for at most 50 ms of CPU: %s", async (_, file) => {
    expect(await longestTurnMs(file)).toBeLessThan(50);
  });

  it("blocks the event loop for at most 50 ms of CPU with any bytes changed or repeated", async () => {
    const edits = fc.array(
      fc.record({
        at: fc.double({ min: 0, max: 1, noNaN: true }),
        bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
        copies: fc.constantFrom(1, 1, 1, 5_000, 200_000),
      }),
      { minLength: 1, maxLength: 4 },
    );
    const deadline = Date.now() + 8_000;
    for (let seed = 1; seed <= 150 && Date.now() < deadline; seed += 1) {
      for (const [name, file] of real) {
        const [changes = []] = fc.sample(edits, { seed, numRuns: 1 });
        let changed = file;
        for (const { at, bytes, copies } of changes) {
          const from = Math.floor(at ** 3 * (file.length - 1));
          const rest = changed.subarray(from + (copies === 1 ? bytes.length : 0));
          changed = joined(changed.subarray(0, from), repeated(bytes, copies), rest);
        }
        const ms = await longestTurnMs(changed.slice(0, bytesMax));
        expect(ms, `seed ${seed} of ${name}`).toBeLessThan(50);
      }
    }
  });

  it.each(real)("has a length or none wherever it is cut: %s", async (_, file) => {
    for (const part of [0.001, 0.01, 0.1, 0.5, 0.9, 0.999]) {
      const answer = await lengthOf(file.slice(0, Math.ceil(file.length * part)));
      expect(typeof answer === "string" || answer === null || answer < 3).toBe(true);
    }
  });

  const change = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), byte: fc.nat(255) });
  it.each(real)("has a length or none with any bytes changed: %s", async (_, file) => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
        const changed = file.slice();
        // Most misleading fields are in the first bytes.
        for (const { at, byte } of changes) changed[Math.floor(at ** 3 * (file.length - 1))] = byte;
        const answer = await lengthOf(changed);
        expect(typeof answer === "number" ? answer >= 0 : true).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});

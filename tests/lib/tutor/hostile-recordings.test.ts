import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
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
  repeated,
  uint32,
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

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { audioSeconds } from "../../../lib/tutor/audio-length.js";
import { audioTypeOf } from "../../../lib/tutor/audio-type.js";
import {
  aac,
  joined,
  mp3,
  mp4,
  mp4InFragments,
  ogg,
  uint32,
  wav,
  webm,
  webmHead,
  webmOnTheFly,
} from "../../support/recordings.js";

/** Of ffmpeg; those that are "piped" or in fragments have no length in a header, as browsers record. */
const folder = join(import.meta.dirname, "recordings");

const secondsOf = (file: Uint8Array<ArrayBuffer>) => audioSeconds(file, audioTypeOf(file) ?? "");

/** An ID3 tag of an unknown version. */
const tag = (bytes: number) =>
  joined("ID3", [9, 0, 0, 0, 0, bytes >> 7, bytes & 127], Buffer.alloc(bytes, 0xff));

describe("audioSeconds", () => {
  it.each([
    ["WAV", wav(3), 3],
    [
      "WAV whose header has a larger size",
      joined(wav(3).slice(0, 40), uint32(2 ** 32 - 1), wav(3).slice(44)),
      3,
    ],
    ["MP3", mp3(2297), 60],
    ["AAC", aac(2813), 60],
    ["AAC with the smallest frames", aac(5626, 40), 120],
    ["Ogg", ogg(60), 60],
    ["Ogg with two streams", joined(ogg(40), ogg(30)), 70],
    ["WebM", webm(60), 60],
    ["WebM recorded by a browser", webmOnTheFly(60), 60],
    ["WebM with a late start time", webmOnTheFly(60, 100_000), 60],
    [
      "WebM whose header has a shorter length",
      joined(webmHead(5), webmOnTheFly(60).subarray(webmHead(null).length)),
      60,
    ],
    ["MP4", mp4(60), 60],
    ["3GP", mp4(60, "3gp5"), 60],
    ["MP4 in fragments", mp4InFragments([2000, 584]), 60],
    ["MP4 in a fragment for each frame", mp4InFragments(Array(2584).fill(1)), 60],
    ["MP4 in fragments with sample durations", mp4InFragments([1000, 292], 0x100), 60],
    ["MP3 after two ID3 tags", joined(tag(3000), tag(200), mp3(2297)), 60],
  ])("returns the length of the audio: %s", async (_, file, seconds) => {
    expect(await secondsOf(file)).toBeCloseTo(seconds, 0);
  });

  it.each(readdirSync(folder))("is 2 s where an encoder made it: %s", async (name) => {
    expect(await secondsOf(new Uint8Array(readFileSync(join(folder, name))))).toBeCloseTo(2, 0);
  });

  it("returns null when the file has no length", async () => {
    expect(await secondsOf(webm(null))).toBeNull();
  });

  it.each([
    ["WAV", wav(1).slice(0, 30)],
    ["MP3", joined("ID3", [3, 0, 0, 127, 127, 127, 127], mp3(2))],
    ["Ogg", ogg(1).slice(0, 20)],
    ["WebM", webm(1).slice(0, 60)],
    ["MP4", mp4(1).slice(0, 60)],
  ])("throws for a %s file that is cut off before its audio", async (_, file) => {
    await expect(secondsOf(file)).rejects.toThrow();
  });
});

import {
  aac,
  joined,
  mp3,
  mp4,
  mp4InFragments,
  ogg,
  oggPage,
  repeated,
  uint32,
  wav,
  webmWith,
} from "./recordings.js";

type File = Uint8Array<ArrayBuffer>;

/** Copies with bytes replaced at an offset, counted from the first occurrence of a marker. */
function patched(file: File, marker: string, offset: number, ...bytes: Uint8Array[]): File {
  const copy = Buffer.from(file);
  const at = copy.indexOf(marker, 0, "latin1");
  if (at < 0) throw new Error(`There is no ${marker} in the file.`);
  copy.set(joined(...bytes), at + offset);
  return new Uint8Array(copy);
}

const float = (value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
};
const int64 = (value: bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
};

/** Ogg whose pages of one second end at these granules. */
function oggWith(granules: bigint[]): File {
  const head = ogg(0);
  const pages = granules.map((granule) =>
    oggPage(0, int64(granule), ...Array<Uint8Array>(50).fill(new Uint8Array([8, 0, 0, 0]))),
  );
  return joined(head, ...pages);
}

/** Two seconds of audio unless the name says otherwise, with one field of the header changed. */
export const lyingHeaders: [name: string, file: File][] = [
  ...[
    Number.NaN,
    -1,
    -Number.MAX_VALUE,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    1e300,
  ].map((value): [string, File] => [
    `WebM with the Duration ${value}`,
    webmWith(2, { duration: float(value) }),
  ]),
  ["WebM with a Duration of 32 bits that is NaN", webmWith(2, { duration: uint32(0x7fc00000) })],
  ["WebM with a Duration of 61 s", webmWith(2, { duration: float(61_000) })],
  ...[0, 1, 999].map((value): [string, File] => [
    `WebM with the TimestampScale ${value}`,
    webmWith(2, { scale: uint32(value) }),
  ]),
  ["WebM with an empty TimestampScale", webmWith(2, { scale: new Uint8Array() })],
  [
    "WebM with a huge TimestampScale",
    webmWith(2, { scale: uint32(2 ** 32 - 1), duration: float(60_000) }),
  ],
  ["WebM of 90 s with a small TimestampScale", webmWith(90, { scale: uint32(10_000) }, 50)],
  ["WebM of 90 s with all blocks at one time", webmWith(90, { isStill: true }, 50)],
  ["WebM without a length and without a block", webmWith(0, {})],
  ["MP4 with the media time scale 0", patched(mp4(2), "mdhd", 16, uint32(0))],
  ["MP4 with the duration 0", patched(mp4(2), "mdhd", 20, uint32(0))],
  ["MP4 with an unknown duration", patched(mp4(2), "mdhd", 20, uint32(2 ** 32 - 1))],
  ["MP4 with a huge duration", patched(mp4(2), "mdhd", 20, uint32(2 ** 32 - 2))],
  ["MP4 of 90 s with a duration of 1 s", patched(mp4(90), "mdhd", 20, uint32(44_100))],
  ["MP4 of 150 s with a huge time scale", patched(mp4(150), "mdhd", 16, uint32(2 ** 32 - 1))],
  ["MP4 with a table of 2^32 samples", patched(mp4(2), "stts", 12, uint32(2 ** 32 - 1))],
  ["MP4 with the movie time scale 0", patched(mp4(2), "mvhd", 16, uint32(0))],
  ["MP4 with a huge movie duration", patched(mp4(2), "mvhd", 20, uint32(2 ** 32 - 2))],
  [
    "MP4 in fragments without a sample duration",
    patched(mp4InFragments([100]), "trex", 16, uint32(0)),
  ],
  ["MP4 in fragments without a sample", mp4InFragments([0])],
  ["MP4 in fragments of 2^32 samples", mp4InFragments([2 ** 32 - 1])],
  ["3GP with the duration 0", patched(mp4(2, "3gp5"), "mdhd", 20, uint32(0))],
  ["Ogg with the granule position -1", oggWith([-1n, -1n])],
  ["Ogg with the granule position -2", oggWith([48_000n, -2n])],
  ["Ogg with decreasing granule positions", oggWith([96_000n, 48_000n])],
  ["Ogg with the smallest granule position", oggWith([-(2n ** 63n), 0n])],
  [
    "Ogg of 90 s with small granule positions",
    oggWith(Array.from({ length: 90 }, (_, at) => BigInt(at))),
  ],
  ["Ogg without a packet of audio", ogg(0)],
  ["WAV with the byte rate 0", patched(wav(2), "fmt ", 16, uint32(0))],
  ["WAV with the byte rate 1", patched(wav(2), "fmt ", 16, uint32(1, "LE"))],
  ["WAV with the sample rate 0", patched(wav(2), "fmt ", 12, uint32(0))],
  ["WAV without a channel", patched(wav(2), "fmt ", 10, new Uint8Array(2))],
  ["WAV with 0 bits per sample", patched(wav(2), "fmt ", 22, new Uint8Array(2))],
  ["WAV of 90 s with a huge block", patched(wav(90), "fmt ", 20, new Uint8Array([255, 255]))],
  ["WAV of 90 s with a huge byte rate", patched(wav(90), "fmt ", 16, uint32(2 ** 32 - 1))],
  ["WAV with no bytes of audio", patched(wav(2), "data", 4, uint32(0))],
  ["MP3 without a bit rate in any frame", withoutBitRate(mp3(80))],
  ["MP3 with the invalid bit rate 15", repeated(Buffer.from("fffbf064", "hex"), 2000)],
  ["MP3 of 90 s whose Xing header counts one frame", joined(xing(1), mp3(3446))],
  ["MP3 of nothing but a Xing header", joined(xing(2 ** 32 - 1))],
  ["AAC with an invalid sample rate", withSampleRate(aac(100), 15)],
  ["AAC with frames of no length", repeated(Buffer.from("fff14c800000fc", "hex"), 2000)],
];

function withoutBitRate(file: File): File {
  const copy = file.slice();
  for (let at = 0; at < copy.length; at += 417) copy[at + 2] = 0;
  return copy;
}

function withSampleRate(file: File, index: number): File {
  const copy = file.slice();
  for (let at = 0; at < copy.length; at += 200) copy[at + 2] = 0x40 | (index << 2);
  return copy;
}

/** A frame that says how many follow. */
function xing(frames: number): File {
  return patched(joined(mp3(1), "end"), "\xff\xfb", 36, joined("Xing", uint32(1), uint32(frames)));
}

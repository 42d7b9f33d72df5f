/** Silence as a WAV file: 8 kHz, 8 bit, one channel. */
export function wav(seconds: number): Uint8Array<ArrayBuffer> {
  const bytes = Math.round(seconds * 8000);
  const file = Buffer.alloc(44 + bytes, 0x80);
  file.write("RIFF", 0, "latin1");
  file.writeUInt32LE(36 + bytes, 4);
  file.write("WAVEfmt ", 8, "latin1");
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(8000, 24);
  file.writeUInt32LE(8000, 28);
  file.writeUInt16LE(1, 32);
  file.writeUInt16LE(8, 34);
  file.write("data", 36, "latin1");
  file.writeUInt32LE(bytes, 40);
  return new Uint8Array(file);
}

/** MP3 frames of silence, 26 ms each: 128 kbit/s, 44.1 kHz. */
export const mp3 = (frames: number) => repeated(frame("fffb9064", 417), frames);

/** ADTS frames of 21 ms and `bytes` bytes each: 48 kHz. */
export function aac(frames: number, bytes = 200): Uint8Array<ArrayBuffer> {
  const header = [
    0xff,
    0xf1,
    0x4c,
    0x80 | (bytes >> 11),
    (bytes >> 3) & 255,
    (bytes & 7) << 5,
    0xfc,
  ];
  return repeated(frame(Buffer.from(header).toString("hex"), bytes), frames);
}

/** Opus in Ogg, with one page per second. */
export function ogg(seconds: number, comments = uint32(0, "LE")): Uint8Array<ArrayBuffer> {
  const head = joined("OpusHead", [1, 1, 0, 0], uint32(16_000, "LE"), [0, 0, 0]);
  const sound = Array.from({ length: seconds }, (_, at) =>
    oggPage(0, (at + 1) * 48_000, Buffer.alloc(200)),
  );
  return joined(
    oggPage(2, 0, head),
    oggPage(0, 0, joined("OpusTags", uint32(0, "LE"), comments)),
    ...sound,
  );
}

function oggPage(flags: number, samples: number, body: Uint8Array): Uint8Array {
  const end = Buffer.alloc(8);
  end.writeBigInt64LE(BigInt(samples));
  return joined("OggS", [0, flags], end, Buffer.alloc(12), [1, body.length], body);
}

/** Opus in WebM; with null neither the header nor a block has the duration. */
export function webm(seconds: number | null, ...before: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = Buffer.alloc(8);
  length.writeDoubleBE((seconds ?? 0) * 1000);
  const info = element("1549a966", ...(seconds === null ? [] : [element("4489", length)]));
  const track = element("ae", element("83", [2]), element("86", "A_OPUS"), element("e1"));
  const head = element("1a45dfa3", element("4282", "webm"));
  const cluster = joined(openCluster, element("a3", Buffer.alloc(200)));
  const segment = Buffer.from("1853806701ffffffffffffff", "hex");
  return joined(head, segment, ...before, info, element("1654ae6b", track), cluster);
}

/** WebM as a browser records it: times only in blocks, in one-second clusters of unknown length. */
export function webmOnTheFly(seconds: number, beganMs = 0): Uint8Array<ArrayBuffer> {
  const clusters = Array.from({ length: seconds }, (_, second) => {
    const block = (ms: number) => joined([0x81, ms >> 8, ms & 255, 0x80], Buffer.alloc(60));
    const time = element("e7", uint32(beganMs + second * 1000));
    const grouped = element("a0", element("a1", block(960)));
    return joined(openCluster, time, element("a3", block(0)), element("a3", block(480)), grouped);
  });
  return joined(webm(null), ...clusters);
}

/** The start of a cluster of unknown length. */
const openCluster = Buffer.from("1f43b67501ffffffffffffff", "hex");

function element(id: string, ...content: Part[]): Uint8Array {
  const body = joined(...content);
  return joined(Buffer.from(id, "hex"), uint32(0x10000000 | body.length), body);
}

/** AAC in MP4, with the duration in the header of its only track. */
export const mp4 = (seconds: number, brand = "M4A ") =>
  joined(box("ftyp", brand, uint32(0), brand), movie(seconds), box("mdat", Buffer.alloc(500)));

/** Fragmented MP4; a sample lasts 1024/44,100 s unless the fragment has its own durations. */
export function mp4InFragments(samplesOfEach: number[], flags = 0): Uint8Array<ArrayBuffer> {
  const defaults = box("trex", uint32(0), uint32(1), uint32(1), uint32(1024), Buffer.alloc(8));
  const fragments = samplesOfEach.map((samples) => {
    const durations = flags === 0 ? Buffer.alloc(1) : repeated(Buffer.from(uint32(2048)), samples);
    const run = box("trun", uint32(flags), uint32(samples), durations);
    return box("moof", box("traf", box("tfhd", uint32(0), uint32(1)), run));
  });
  return joined(box("ftyp", "iso5", uint32(0)), movie(0, box("mvex", defaults)), ...fragments);
}

function movie(seconds: number, ...more: Uint8Array[]): Uint8Array {
  const times = box(
    "mdhd",
    Buffer.alloc(12),
    uint32(44_100),
    uint32(seconds * 44_100),
    Buffer.alloc(4),
  );
  const kind = box("hdlr", Buffer.alloc(8), "soun", Buffer.alloc(13));
  const head = box("tkhd", Buffer.alloc(12), uint32(1), Buffer.alloc(68));
  const entry = joined(
    "mp4a",
    Buffer.alloc(7),
    [1],
    Buffer.alloc(8),
    [0, 1, 0, 16],
    Buffer.alloc(8),
  );
  const sample = box("stsd", uint32(0), uint32(1), uint32(entry.length + 4), entry);
  const media = box(
    "mdia",
    times,
    kind,
    box("minf", box("stbl", sample, box("stsz", uint32(0), uint32(500), uint32(1)))),
  );
  return box("moov", box("trak", head, media), ...more);
}

function box(name: string, ...content: Part[]): Uint8Array {
  const body = joined(...content);
  return joined(uint32(body.length + 8), name, body);
}

type Part = string | number[] | Uint8Array;

export const joined = (...parts: Part[]): Uint8Array<ArrayBuffer> =>
  new Uint8Array(
    Buffer.concat(
      parts.map((part) =>
        typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from(part),
      ),
    ),
  );

export function uint32(value: number, order: "LE" | "BE" = "BE"): Uint8Array {
  const bytes = Buffer.alloc(4);
  if (order === "LE") bytes.writeUInt32LE(value);
  else bytes.writeUInt32BE(value);
  return bytes;
}

export const repeated = (unit: Uint8Array, times: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.alloc(unit.length * times, unit));

const frame = (header: string, bytes: number) =>
  joined(Buffer.from(header, "hex"), Buffer.alloc(bytes)).subarray(0, bytes);

/** The multipart body of a recording, and its Content-Type header. */
export async function multipart(
  audio: Uint8Array<ArrayBuffer> | null,
  fields: Record<string, string> = {},
  type = "audio/wav",
): Promise<{ body: Uint8Array; headers: Record<string, string> }> {
  const form = new FormData();
  if (audio) form.set("audio", new Blob([audio], { type }), "recording");
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  const sent = new Response(form);
  return {
    body: new Uint8Array(await sent.arrayBuffer()),
    headers: { "content-type": sent.headers.get("content-type") ?? "" },
  };
}

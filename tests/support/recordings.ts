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
    oggPage(0, granule((at + 1) * 48_000), ...Array<Uint8Array>(50).fill(opusPacket)),
  );
  return joined(
    oggPage(2, granule(0), head),
    oggPage(0, granule(0), joined("OpusTags", uint32(0, "LE"), comments)),
    ...sound,
  );
}

/** 20 ms. */
const opusPacket = new Uint8Array([8, 0, 0, 0]);

function granule(samples: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(samples));
  return bytes;
}

export function oggPage(flags: number, end: Uint8Array, ...packets: Uint8Array[]): Uint8Array {
  const sizes = packets.map(({ length }) => length);
  return joined("OggS", [0, flags], end, Buffer.alloc(12), [sizes.length, ...sizes], ...packets);
}

/** Opus in WebM, three packets per second; with null neither packets nor a length in its header. */
export function webm(seconds: number | null, ...before: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return joined(webmHead(seconds, ...before), ...webmClusters(seconds ?? 0, 0));
}

/** The same as a browser records it: only packets have a time. */
export const webmOnTheFly = (seconds: number, beganMs = 0) =>
  joined(webmHead(null), ...webmClusters(seconds, beganMs));

/** The bytes of fields of the header; `isStill` gives all blocks the same time. */
interface WebmFields {
  duration?: Uint8Array;
  scale?: Uint8Array;
  isStill?: boolean;
}

/** WebM with fields of its header as given, and `packets` packets of 20 ms per second. */
export function webmWith(
  seconds: number,
  { duration, scale, isStill = false }: WebmFields,
  packets = 3,
): Uint8Array<ArrayBuffer> {
  const fields = [
    ...(scale ? [element("2ad7b1", scale)] : []),
    ...(duration ? [element("4489", duration)] : []),
  ];
  const block = element("a3", joined([0x81, 0, 0, 0x80], opusPacket));
  const clusters = Array.from({ length: seconds }, (_, second) =>
    joined(
      openCluster,
      element("e7", uint32(isStill ? 0 : second * 1000)),
      repeated(block, packets),
    ),
  );
  return joined(webmHeadOf(fields), ...clusters);
}

export function webmHead(seconds: number | null, ...before: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return webmHeadOf(seconds ? [element("4489", float64(seconds * 1000))] : [], ...before);
}

function webmHeadOf(fields: Uint8Array[], ...before: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const info = element("1549a966", ...fields);
  const audio = element("e1", element("b5", float64(48_000)), element("9f", [1]));
  const ids = [element("d7", [1]), element("73c5", [1]), element("83", [2])];
  const track = element("ae", ...ids, element("86", "A_OPUS"), audio);
  const head = element("1a45dfa3", element("4282", "webm"));
  return joined(head, openSegment, ...before, info, element("1654ae6b", track));
}

/** One-second clusters of unknown length. */
function webmClusters(seconds: number, beganMs: number): Uint8Array[] {
  return Array.from({ length: seconds }, (_, second) => {
    const block = (ms: number) => joined([0x81, ms >> 8, ms & 255, 0x80], opusPacket);
    const time = element("e7", uint32(beganMs + second * 1000));
    const grouped = element("a0", element("a1", block(960)));
    return joined(openCluster, time, element("a3", block(0)), element("a3", block(480)), grouped);
  });
}

function float64(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
}

/** The beginnings of a segment and of a cluster of unknown length. */
const openSegment = Buffer.from("1853806701ffffffffffffff", "hex");
const openCluster = Buffer.from("1f43b67501ffffffffffffff", "hex");

function element(id: string, ...content: Part[]): Uint8Array {
  const body = joined(...content);
  return joined(Buffer.from(id, "hex"), uint32(0x10000000 | body.length), body);
}

/** AAC in MP4, of samples of a byte. */
export function mp4(seconds: number, brand = "M4A "): Uint8Array<ArrayBuffer> {
  const samples = Math.round((seconds * 44_100) / 1024);
  const type = box("ftyp", brand, uint32(0), brand);
  return joined(type, movie(samples), box("mdat", Buffer.alloc(samples)));
}

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

function movie(samples: number, ...more: Uint8Array[]): Uint8Array {
  const times = box(
    "mdhd",
    Buffer.alloc(12),
    uint32(44_100),
    uint32(samples * 1024),
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
  const isEmpty = samples === 0;
  const list = (name: string, ...entry: number[]) =>
    box(name, uint32(0), uint32(isEmpty ? 0 : 1), ...(isEmpty ? [] : entry.map((n) => uint32(n))));
  const tables = [
    list("stts", samples, 1024),
    list("stsc", 1, samples, 1),
    box("stsz", uint32(0), uint32(1), uint32(samples)),
    list("stco", 16),
  ];
  const media = box("mdia", times, kind, box("minf", box("stbl", sample, ...tables)));
  const milliseconds = Math.round((samples * 1024_000) / 44_100);
  const movieHead = box(
    "mvhd",
    Buffer.alloc(12),
    uint32(1000),
    uint32(milliseconds),
    Buffer.alloc(80),
  );
  return box("moov", movieHead, box("trak", head, media), ...more);
}

export function box(name: string, ...content: Part[]): Uint8Array {
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

interface Box {
  name: string;
  body: Buffer;
}

/** A minute has at most 3,000 fragments of 20 ms, each in seven boxes. */
const boxesMax = 60_000;

interface Reading {
  boxesLeft: number;
  tracks: Map<number, Track>;
  movie: Times;
}

interface Times {
  unitsPerSecond: number;
  units: number;
}

interface Track extends Times {
  isAudio: boolean;
  tableUnits: number;
  fragmentUnits: number;
  samples: number;
  secondsPerSample: number;
  unitsPerSample: number;
}

/** The shortest that a decoder makes of a sample. Times in the header can be wrong. */
const secondsPerSampleMin: Record<string, number> = {
  mp4a: 0.01,
  samr: 0.02,
  sawb: 0.02,
  Opus: 0.0025,
};

/** The length of the longest audio track of an MP4 or 3GP file in seconds; null if unknown. Throws for an invalid file or without audio. */
export function mp4Seconds(bytes: Uint8Array): number | null {
  const reading: Reading = {
    boxesLeft: boxesMax,
    tracks: new Map(),
    movie: { unitsPerSecond: 1, units: 0 },
  };
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const { name, body } of boxes(reading, file)) {
    if (name === "moov") readMovie(reading, body);
    if (name === "moof") readFragment(reading, body);
  }
  if (reading.boxesLeft <= 0) return Number.POSITIVE_INFINITY;
  const { movie, tracks } = reading;
  const sounds = [...tracks.values()].filter((track) => track.isAudio);
  if (sounds.length === 0) throw new Error("There is no audio in it.");
  if (movie.unitsPerSecond === 0 || sounds.some((track) => track.unitsPerSecond === 0))
    throw new Error("Its header has no time scale.");
  const longest = Math.max(...sounds.map(secondsOf));
  return longest === 0 ? null : Math.max(longest, movie.units / movie.unitsPerSecond);
}

function secondsOf(track: Track): number {
  const claimed = Math.max(track.units, track.fragmentUnits);
  if (claimed === 0) return 0;
  const seconds = Math.max(claimed, track.tableUnits) / track.unitsPerSecond;
  return Math.max(seconds, track.samples * track.secondsPerSample);
}

function readMovie(reading: Reading, movie: Buffer): void {
  for (const { name, body } of boxes(reading, movie)) {
    if (name === "mvhd") reading.movie = timesOf(body);
    if (name === "trak") readTrack(reading, body);
    if (name !== "mvex") continue;
    for (const defaults of boxes(reading, body)) {
      if (defaults.name !== "trex") continue;
      const track = reading.tracks.get(defaults.body.readUInt32BE(4));
      if (track) track.unitsPerSample = defaults.body.readUInt32BE(12);
    }
  }
}

function readTrack(reading: Reading, box: Buffer): void {
  let id = 0;
  const track: Track = {
    isAudio: false,
    unitsPerSecond: 0,
    units: 0,
    tableUnits: 0,
    fragmentUnits: 0,
    samples: 0,
    secondsPerSample: 0,
    unitsPerSample: 0,
  };
  for (const { name, body } of boxes(reading, box)) {
    if (name === "tkhd") id = body.readUInt32BE(isLong(body) ? 20 : 12);
    if (name !== "mdia") continue;
    for (const media of boxes(reading, body)) {
      if (media.name === "hdlr") track.isAudio = media.body.toString("latin1", 8, 12) === "soun";
      if (media.name === "mdhd") Object.assign(track, timesOf(media.body));
      if (media.name === "minf") readMedia(reading, media.body, track);
    }
  }
  reading.tracks.set(id, track);
}

function readMedia(reading: Reading, media: Buffer, track: Track): void {
  for (const { name, body } of boxes(reading, media)) {
    if (name === "stbl") readMedia(reading, body, track);
    if (name === "stsd")
      track.secondsPerSample = secondsPerSampleMin[body.toString("latin1", 12, 16)] ?? 0;
    if (name === "stsz") track.samples = Math.max(track.samples, body.readUInt32BE(8));
    if (name === "stts") readTimeTable(body, track);
  }
}

function readTimeTable(table: Buffer, track: Track): void {
  const entries = table.readUInt32BE(4);
  let samples = 0;
  for (let entry = 0; entry < entries; entry += 1) {
    const count = table.readUInt32BE(8 + 8 * entry);
    samples += count;
    track.tableUnits += count * table.readUInt32BE(12 + 8 * entry);
  }
  track.samples = Math.max(track.samples, samples);
}

/** All bits set mean an unknown length. */
function timesOf(header: Buffer): Times {
  const long = isLong(header);
  const units = long ? Number(header.readBigUInt64BE(24)) : header.readUInt32BE(16);
  const isUnknown = units >= (long ? 2 ** 64 - 1 : 2 ** 32 - 1);
  return { unitsPerSecond: header.readUInt32BE(long ? 20 : 12), units: isUnknown ? 0 : units };
}

function readFragment(reading: Reading, fragment: Buffer): void {
  for (const { name, body } of boxes(reading, fragment)) {
    if (name !== "traf") continue;
    let track: Track | undefined;
    let unitsPerSample = 0;
    for (const part of boxes(reading, body)) {
      if (part.name === "tfhd") {
        track = reading.tracks.get(part.body.readUInt32BE(4));
        unitsPerSample = ownUnitsPerSample(part.body) ?? track?.unitsPerSample ?? 0;
      }
      if (part.name !== "trun" || !track) continue;
      track.fragmentUnits += runUnits(part.body, unitsPerSample);
      track.samples += part.body.readUInt32BE(4);
    }
  }
}

function ownUnitsPerSample(header: Buffer): number | null {
  const flags = header.readUInt32BE(0);
  if (!(flags & 0x8)) return null;
  return header.readUInt32BE(8 + (flags & 0x1 ? 8 : 0) + (flags & 0x2 ? 4 : 0));
}

/** Multiplied, not counted: a small box can claim billions of samples of one length. */
function runUnits(run: Buffer, unitsPerSample: number): number {
  const flags = run.readUInt32BE(0);
  const samples = run.readUInt32BE(4);
  if (!(flags & 0x100)) return samples * unitsPerSample;
  const step = 4 * [0x100, 0x200, 0x400, 0x800].filter((field) => flags & field).length;
  const first = 8 + (flags & 0x1 ? 4 : 0) + (flags & 0x4 ? 4 : 0);
  let units = 0;
  for (let sample = 0; sample < samples; sample += 1) {
    units += run.readUInt32BE(first + sample * step);
  }
  return units;
}

const isLong = (body: Buffer) => body.readUInt8(0) === 1;

function* boxes(reading: Reading, container: Buffer): Generator<Box> {
  let at = 0;
  while (at + 8 <= container.length && reading.boxesLeft > 0) {
    reading.boxesLeft -= 1;
    const declared = container.readUInt32BE(at);
    const head = declared === 1 ? 16 : 8;
    const size = declared === 1 ? Number(container.readBigUInt64BE(at + 8)) : declared;
    const end = size === 0 ? container.length : at + size;
    if (end < at + head || end > container.length) throw new Error("A box does not fit.");
    yield {
      name: container.toString("latin1", at + 4, at + 8),
      body: container.subarray(at + head, end),
    };
    at = end;
  }
}

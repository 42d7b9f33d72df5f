interface Box {
  name: string;
  body: Buffer;
}

interface Track {
  isAudio: boolean;
  unitsPerSecond: number;
  units: number;
  fragmentUnits: number;
  unitsPerSample: number;
}

/** The length of the longest audio track of an MP4 or 3GP file in seconds; null if unknown. Throws for an invalid file or without audio. */
export function mp4Seconds(bytes: Uint8Array): number | null {
  const tracks = new Map<number, Track>();
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const { name, body } of boxes(file)) {
    if (name === "moov") readMovie(body, tracks);
    if (name === "moof") readFragment(body, tracks);
  }
  const sounds = [...tracks.values()].filter((track) => track.isAudio);
  if (sounds.length === 0) throw new Error("There is no audio in it.");
  const seconds = sounds.map(
    (track) => Math.max(track.units, track.fragmentUnits) / track.unitsPerSecond,
  );
  return seconds.reduce((longest, one) => Math.max(longest, one), 0) || null;
}

function readMovie(movie: Buffer, tracks: Map<number, Track>): void {
  for (const { name, body } of boxes(movie)) {
    if (name === "trak") readTrack(body, tracks);
    if (name !== "mvex") continue;
    for (const defaults of boxes(body)) {
      if (defaults.name !== "trex") continue;
      const track = tracks.get(defaults.body.readUInt32BE(4));
      if (track) track.unitsPerSample = defaults.body.readUInt32BE(12);
    }
  }
}

function readTrack(box: Buffer, tracks: Map<number, Track>): void {
  let id = 0;
  const track = {
    isAudio: false,
    unitsPerSecond: 0,
    units: 0,
    fragmentUnits: 0,
    unitsPerSample: 0,
  };
  for (const { name, body } of boxes(box)) {
    if (name === "tkhd") id = body.readUInt32BE(isLong(body) ? 20 : 12);
    if (name !== "mdia") continue;
    for (const media of boxes(body)) {
      if (media.name === "hdlr") track.isAudio = media.body.toString("latin1", 8, 12) === "soun";
      if (media.name === "mdhd") Object.assign(track, timesOf(media.body));
    }
  }
  track.isAudio &&= track.unitsPerSecond > 0;
  tracks.set(id, track);
}

/** All bits set mean an unknown length. */
function timesOf(header: Buffer): Pick<Track, "unitsPerSecond" | "units"> {
  const long = isLong(header);
  const units = long ? Number(header.readBigUInt64BE(24)) : header.readUInt32BE(16);
  const isUnknown = units >= (long ? 2 ** 64 - 1 : 2 ** 32 - 1);
  return { unitsPerSecond: header.readUInt32BE(long ? 20 : 12), units: isUnknown ? 0 : units };
}

function readFragment(fragment: Buffer, tracks: Map<number, Track>): void {
  for (const { name, body } of boxes(fragment)) {
    if (name !== "traf") continue;
    let track: Track | undefined;
    let unitsPerSample = 0;
    for (const part of boxes(body)) {
      if (part.name === "tfhd") {
        track = tracks.get(part.body.readUInt32BE(4));
        unitsPerSample = ownUnitsPerSample(part.body) ?? track?.unitsPerSample ?? 0;
      }
      if (part.name === "trun" && track) track.fragmentUnits += runUnits(part.body, unitsPerSample);
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

function* boxes(container: Buffer): Generator<Box> {
  let at = 0;
  while (at + 8 <= container.length) {
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

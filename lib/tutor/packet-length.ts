import { setImmediate as nextTurn } from "node:timers/promises";
import {
  ADTS,
  CustomSource,
  EncodedPacketSink,
  Input,
  type InputAudioTrack,
  type InputFormat,
  MP3,
  OGG,
} from "mediabunny";
import { oggStreams } from "./ogg-streams.js";

/** A minute has at most 24,000 packets: Opus with 2.5 ms each. */
const packetsMax = 60_000;
/** Packets read before yielding to the event loop: about 1 ms. */
const packetsPerTurn = 100;
const secondsMax = 120;

const formats: Record<string, InputFormat> = {
  "audio/aac": ADTS,
  "audio/mpeg": MP3,
  "audio/ogg": OGG,
};

/** The length in seconds of the formats that the library reads safely, counted up to 120 s per stream; null if 0. Throws as `audioSeconds`. */
export async function packetSeconds(
  bytes: Uint8Array<ArrayBuffer>,
  contentType: string,
): Promise<number | null> {
  const format = formats[contentType];
  if (!format) throw new Error(`There is no reader for "${contentType}".`);
  const streams = format === OGG ? oggStreams(bytes) : [bytes];
  const tracks = await Promise.all(streams.map((stream) => findAudioTrack(stream, format)));
  const sounds = tracks.filter((track) => track !== null);
  if (sounds.length === 0) throw new Error("There is no audio in it.");
  let seconds = 0;
  for (const track of sounds) seconds += await secondsOf(track);
  return seconds || null;
}

function findAudioTrack(bytes: Uint8Array, format: InputFormat) {
  const source = new CustomSource({
    getSize: () => bytes.length,
    // Some invalid files have no packet for seconds of reading.
    read: async (start, end) => {
      await nextTurn();
      return bytes.subarray(start, end);
    },
    prefetchProfile: "fileSystem",
    maxCacheSize: 2 ** 18,
  });
  return new Input({ source, formats: [format] }).getPrimaryAudioTrack();
}

/** By timestamps, or by the sum of packets if timestamps restart. */
async function secondsOf(track: InputAudioTrack): Promise<number> {
  const sink = new EncodedPacketSink(track);
  let packets = 0;
  let first = Number.POSITIVE_INFINITY;
  let end = 0;
  let total = 0;
  for await (const packet of sink.packets(undefined, undefined, { metadataOnly: true })) {
    packets += 1;
    if (packets > packetsMax) throw new Error("It has too many packets.");
    if (packets % packetsPerTurn === 0) await nextTurn();
    first = Math.min(first, packet.timestamp);
    end = Math.max(end, packet.timestamp + packet.duration);
    total += packet.duration;
    if (Math.max(end - first, total) > secondsMax) break;
  }
  return packets === 0 ? 0 : Math.max(end - first, total);
}

const [pcm, float, aLaw, muLaw, extensible] = [1, 3, 6, 7, 0xfffe];
const chunksMax = 1000;

interface Rates {
  declared: number;
  computed: number;
}

/** The length of a WAV file in seconds by the slower of two rates in its header. Throws for an invalid or compressed file. */
export function wavSeconds(bytes: Uint8Array): number {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let rates: Rates | undefined;
  for (let at = 12, chunks = 0; at + 8 <= file.length && chunks < chunksMax; chunks += 1) {
    const name = file.toString("latin1", at, at + 4);
    const size = file.readUInt32LE(at + 4);
    const start = at + 8;
    if (name === "fmt ") rates = ratesOf(file.subarray(start, start + size));
    if (name === "data" && rates) {
      // A recorder that cannot seek back declares too many bytes.
      return Math.min(size, file.length - start) / Math.min(rates.declared, rates.computed);
    }
    at = start + size + (size % 2);
  }
  throw new Error("There is no audio in it.");
}

function ratesOf(format: Buffer): Rates {
  const tag = format.readUInt16LE(0);
  const codec = tag === extensible ? format.readUInt16LE(24) : tag;
  const isLogarithmic = codec === aLaw || codec === muLaw;
  const bits = isLogarithmic ? 8 : format.readUInt16LE(14);
  const declared = format.readUInt32LE(8);
  const computed = format.readUInt16LE(2) * format.readUInt32LE(4) * Math.ceil(bits / 8);
  if (!isLogarithmic && codec !== pcm && codec !== float) throw new Error("It is compressed.");
  if (declared === 0 || computed === 0) throw new Error("Its header has no byte rate.");
  return { declared, computed };
}

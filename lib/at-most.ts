/** A budget that is full again each minute: the function says whether there is some left, and takes it. */
export function atMostPerMinute(max: number): () => boolean {
  let endsAtMs = 0;
  let taken = 0;
  return () => {
    const nowMs = performance.now();
    if (nowMs >= endsAtMs) {
      endsAtMs = nowMs + 60_000;
      taken = 0;
    }
    taken += 1;
    return taken <= max;
  };
}

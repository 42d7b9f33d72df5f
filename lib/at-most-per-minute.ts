/** Returns a function that is true for the first `max` calls of a minute. The first call after a minute starts the next one. */
export function atMostPerMinute(max: number): () => boolean {
  let endsAtMs = 0;
  let used = 0;
  return () => {
    const nowMs = performance.now();
    if (nowMs >= endsAtMs) {
      endsAtMs = nowMs + 60_000;
      used = 0;
    }
    used += 1;
    return used <= max;
  };
}

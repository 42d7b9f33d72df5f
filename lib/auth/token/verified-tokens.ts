const tokensMax = 1000;

/** From when until when a token is good whatever the leeway. */
export interface Interval {
  fromMs: number;
  untilMs: number;
}

/**
 * The claims of tokens whose signature was found good, until each expires. A signature does not change
 * by looking at it again, and WebCrypto verifies on another thread, which costs a fifth of a request.
 * Whether the token's session still lives is asked at every request all the same.
 */
export class VerifiedTokens<Claims> {
  readonly #byToken = new Map<string, { claims: Claims; during: Interval }>();

  find(token: string, now: Date): Claims | undefined {
    const known = this.#byToken.get(token);
    if (!known) return undefined;
    const { fromMs, untilMs } = known.during;
    return fromMs <= now.getTime() && now.getTime() < untilMs ? known.claims : undefined;
  }

  remember(token: string, claims: Claims, during: Interval): void {
    this.#byToken.set(token, { claims, during });
    if (this.#byToken.size <= tokensMax) return;
    const [oldest] = this.#byToken.keys();
    if (oldest !== undefined) this.#byToken.delete(oldest);
  }
}

/** About 16 MB. */
const tokensMax = 20_000;

export interface ValidityInterval {
  fromMs: number;
  untilMs: number;
}

/** Caches verified claims: WebCrypto's thread switch costs a fifth of a request (docs/decisions/007). */
export class VerifiedTokens<Claims> {
  readonly #byToken = new Map<string, { claims: Claims; during: ValidityInterval }>();
  readonly #max: number;

  constructor(max = tokensMax) {
    this.#max = max;
  }

  find(token: string, now: Date): Claims | undefined {
    const known = this.#byToken.get(token);
    if (!known) return undefined;
    const { fromMs, untilMs } = known.during;
    return fromMs <= now.getTime() && now.getTime() < untilMs ? known.claims : undefined;
  }

  remember(token: string, claims: Claims, during: ValidityInterval): void {
    this.#byToken.set(token, { claims, during });
    if (this.#byToken.size <= this.#max) return;
    const [oldest] = this.#byToken.keys();
    if (oldest !== undefined) this.#byToken.delete(oldest);
  }
}

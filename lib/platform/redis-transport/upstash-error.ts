/** An error reply of Redis. Has the name of the class in `@upstash/redis`, which would load its 80 KB. */
export class UpstashError extends Error {
  override name = "UpstashError";
}

export class UpstashJSONParseError extends UpstashError {
  override name = "UpstashJSONParseError";

  constructor(body: string, options?: ErrorOptions) {
    super(`Unable to parse response body: ${body.slice(0, 200)}`, options);
  }
}

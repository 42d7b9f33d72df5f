/** Accepts the forms of libpq (Unix sockets, no host). The error never contains the URL with its password. */
export function parseDatabaseUrl(text: string): URL {
  const complete = text.replace(/^(\w+:\/\/[^/?#]*@)(?=[/?#]|$)/, "$1localhost");
  if (!/^postgres(ql)?:\/\//.test(text) || !URL.canParse(complete)) {
    throw new Error("DATABASE_URL must be a postgresql:// URL");
  }
  return new URL(complete);
}

export function isDatabaseUrl(text: string): boolean {
  try {
    return parseDatabaseUrl(text) !== undefined;
  } catch {
    return false;
  }
}

/** A `host` parameter (such as a socket directory) comes before the host of the URL; `localhost` without both. */
export function hostOf(text: string): string {
  const { hostname, searchParams } = parseDatabaseUrl(text);
  return searchParams.get("host") ?? (decodeURIComponent(hostname) || "localhost");
}

/** Host, and port if the URL has one; never the credentials. */
export function hostAndPortOf(text: string): string {
  const { port, searchParams } = parseDatabaseUrl(text);
  const portNumber = searchParams.get("port") ?? port;
  return portNumber ? `${hostOf(text)}:${portNumber}` : hostOf(text);
}

export function isNeonUrl(text: string): boolean {
  return parseDatabaseUrl(text).hostname.endsWith(".neon.tech");
}

/** False for URLs that Neon's driver rejects with an error that contains the password. */
export function isNeonDriverUrl(text: string): boolean {
  const { username, pathname, searchParams } = parseDatabaseUrl(text);
  const asHttp = text.replace(/^postgres(ql)?:/, "http:");
  const isComplete = username !== "" && pathname.length > 1 && !searchParams.has("host");
  return isComplete && URL.canParse(asHttp);
}

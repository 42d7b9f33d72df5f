/**
 * The URL of a PostgreSQL database, in the forms that libpq takes: with a host, with the folder of a Unix
 * socket as `?host=/folder` or as an escaped host, and with a user and no host, which `new URL` refuses.
 * Throws without showing the text, for it holds a password.
 */
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

/** The host, or the folder of the Unix socket. */
export function hostOf(text: string): string {
  const { hostname, searchParams } = parseDatabaseUrl(text);
  return searchParams.get("host") ?? (decodeURIComponent(hostname) || "localhost");
}

/** The same with the port, where one is named; never the credentials. */
export function placeOf(text: string): string {
  const { port, searchParams } = parseDatabaseUrl(text);
  const named = searchParams.get("port") ?? port;
  return named ? `${hostOf(text)}:${named}` : hostOf(text);
}

/** True when it names Neon, which speaks its protocol over HTTPS itself. */
export function isNeon(text: string): boolean {
  return parseDatabaseUrl(text).hostname.endsWith(".neon.tech");
}

/** True when Neon's driver can send to it; of one that it cannot use, its error shows the password. */
export function isSentOverHttps(text: string): boolean {
  const { username, pathname, searchParams } = parseDatabaseUrl(text);
  const asHttp = text.replace(/^postgres(ql)?:/, "http:");
  const isComplete = username !== "" && pathname.length > 1 && !searchParams.has("host");
  return isComplete && URL.canParse(asHttp);
}

import { connect as connectSocket, isIP } from "node:net";
import { connect, type PeerCertificate, type SecureVersion, type TLSSocket } from "node:tls";

interface Certificate {
  names: string;
  issuer: string;
  validTo: Date;
  /** Why this machine does not trust it; null if it does. */
  problem: string | null;
}

/**
 * `refused`: the server sent a TLS alert, or chose another version. `closed`: it closed the connection without one. `not_offered`: OpenSSL on this
 * machine did not send the version, so the server was not asked. `unknown`: anything else.
 */
export type Handshake =
  | { is: "agreed"; protocol: string; cipher: string; certificate: Certificate }
  | { is: "refused" | "closed" | "not_offered" | "unknown"; why: string };

interface Options {
  timeoutMs: number;
  /** Exactly this version. */
  version?: SecureVersion;
  ciphers?: string;
}

/** Instead of a ClientHello, OpenSSL sends an alert when it cannot offer the version. */
const alertBytes = 7;
/** OpenSSL refuses TLS 1.0 and 1.1 by itself at its default level. */
const everyVersion = "DEFAULT@SECLEVEL=0";

/** One TLS handshake, of no matter what certificate. Never rejects. */
export function handshake(url: URL, options: Options): Promise<Handshake> {
  const { timeoutMs, version, ciphers = everyVersion } = options;
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port || 443);
  return new Promise((resolve) => {
    // With a socket of our own, its counters tell whether OpenSSL has sent anything.
    const socket = connectSocket({ host, port });
    let secured: TLSSocket | undefined;
    const end = (result: Handshake) => {
      clearTimeout(timer);
      secured?.destroy();
      socket.destroy();
      resolve(result);
    };
    const timer = setTimeout(
      () => end({ is: "unknown", why: `no answer within ${timeoutMs / 1000} s` }),
      timeoutMs,
    );
    const fail = (error: NodeJS.ErrnoException) =>
      end(outcomeOf(error, !secured || socket.bytesWritten > alertBytes));
    socket.on("error", fail);
    socket.on("connect", () => {
      try {
        secured = connect({
          socket,
          host,
          ...(isIP(host) === 0 && { servername: host }),
          ...(version && { minVersion: version, maxVersion: version }),
          ciphers,
          rejectUnauthorized: false,
        });
      } catch (error) {
        end({ is: "not_offered", why: codeOf(error as Error) });
        return;
      }
      secured.on("error", fail);
      secured.on("secureConnect", () => secured && end(agreed(secured)));
    });
  });
}

function agreed(socket: TLSSocket): Handshake {
  const certificate = certificateOf(socket.getPeerCertificate(), socket.authorizationError);
  const { name } = socket.getCipher();
  return { is: "agreed", protocol: socket.getProtocol() ?? "unknown", cipher: name, certificate };
}

function certificateOf(found: PeerCertificate, error: Error | string | null): Certificate {
  const { subject, issuer, subjectaltname, valid_to: validTo } = found;
  const problem = error ? (typeof error === "string" ? error : codeOf(error)) : null;
  return {
    names: subjectaltname ?? nameOf(subject),
    issuer: nameOf(issuer),
    validTo: new Date(validTo),
    problem,
  };
}

function nameOf(name: PeerCertificate["subject"] | undefined): string {
  const { O: organisation, CN: common } = name ?? {};
  return [organisation, common].flat().filter(Boolean).join(", ") || "no name";
}

const refusals = /ALERT_(PROTOCOL_VERSION|HANDSHAKE_FAILURE|INSUFFICIENT_SECURITY)/;

function outcomeOf(error: NodeJS.ErrnoException, isSent: boolean): Handshake {
  const why = codeOf(error);
  if (!isSent) return { is: "not_offered", why };
  const alert = refusals.exec(why)?.[1];
  if (alert) return { is: "refused", why: `alert ${alert.toLowerCase()}` };
  if (why === "ERR_SSL_UNSUPPORTED_PROTOCOL") {
    return { is: "refused", why: "it answered with another version" };
  }
  if (why === "ECONNRESET" || why === "EPIPE")
    return { is: "closed", why: "closed the connection" };
  return { is: "unknown", why };
}

const codeOf = (error: NodeJS.ErrnoException): string => error.code ?? error.message;

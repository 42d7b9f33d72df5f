import { createServer as createHttpServer, type RequestListener } from "node:http";
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from "node:net";
import { createServer, type TlsOptions } from "node:tls";
import { afterEach, describe, expect, it, vi } from "vitest";
import { edgeFindings, judgeHsts } from "../../../../lib/cli/verify/edge-findings.js";
import {
  certificateKey,
  expiredCertificate,
  validCertificate,
} from "../../../support/certificates.js";

const ends: (() => void)[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const end of ends.splice(0)) end();
});

async function portOf(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  ends.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  return (server.address() as AddressInfo).port;
}

async function secureUrl(options: TlsOptions = {}): Promise<URL> {
  const server = createServer(
    { key: certificateKey, cert: validCertificate, ...options },
    (socket) => socket.on("error", () => {}).end("HTTP/1.1 204 No Content\r\n\r\n"),
  );
  server.on("tlsClientError", () => {});
  return new URL(`https://localhost:${await portOf(server)}`);
}

const plainUrl = async (listener: RequestListener) =>
  new URL(`http://127.0.0.1:${await portOf(createHttpServer(listener))}`);

async function findingsOf(url: URL, options: Parameters<typeof edgeFindings>[1] = {}) {
  const found = await edgeFindings(url, { plainUrl: undefined, ...options });
  expect(found.every(({ control }) => control === "transport")).toBe(true);
  return Object.fromEntries(found.map((each) => [each.name, each]));
}

const versions = ["TLS 1.3", "TLS 1.2", "TLS 1.1", "TLS 1.0"];
const statusesOf = (found: Awaited<ReturnType<typeof findingsOf>>) =>
  versions.map((name) => found[name]?.status);

const old = "DEFAULT@SECLEVEL=0";

describe("TLS versions", () => {
  it.each([
    ["from 1.3", { minVersion: "TLSv1.3" }, ["pass", "pass", "pass", "pass"]],
    ["from 1.2", { minVersion: "TLSv1.2" }, ["pass", "pass", "pass", "pass"]],
    ["from 1.1", { minVersion: "TLSv1.1", ciphers: old }, ["pass", "pass", "fail", "pass"]],
    ["from 1.0", { minVersion: "TLSv1", ciphers: old }, ["pass", "pass", "fail", "fail"]],
    ["up to 1.2", { maxVersion: "TLSv1.2" }, ["fail", "pass", "pass", "pass"]],
    [
      "1.0 only",
      { minVersion: "TLSv1", maxVersion: "TLSv1", ciphers: old },
      ["fail", "pass", "pass", "fail"],
    ],
  ] as [string, TlsOptions, string[]][])(
    "are judged for a server with TLS %s",
    async (_, options, expected) => {
      expect(statusesOf(await findingsOf(await secureUrl(options)))).toEqual(expected);
    },
  );

  it("are named with what the server agreed on or why it refused", async () => {
    const found = await findingsOf(await secureUrl());
    expect(found["TLS 1.3"]?.detail).toMatch(/^offered: agreed on TLSv1\.3 with TLS_AES_/);
    expect(found["TLS 1.2"]?.detail).toMatch(
      /^offered: agreed on TLSv1\.2 with ECDHE-\S+; a client that offers both gets TLSv1\.3; /,
    );
    expect(found["TLS 1.0"]?.detail).toBe("refused by the server: alert protocol_version");
  });

  it("are not passed when OpenSSL on this machine cannot offer them", async () => {
    // As an OpenSSL without the ciphers of TLS 1.2 and older.
    const url = await secureUrl({ minVersion: "TLSv1", ciphers: old });
    const found = await findingsOf(url, { ciphers: "TLS_AES_256_GCM_SHA384" });
    expect(statusesOf(found)).toEqual(["pass", "warn", "warn", "warn"]);
    expect(found["TLS 1.0"]?.detail).toMatch(
      /^not shown: OpenSSL on this machine cannot offer it \(ERR_SSL_NO_CIPHERS_AVAILABLE\)$/,
    );
  });

  it("are refused by a server that closes the connection, if it answers another version", async () => {
    const secure = await secureUrl();
    const port = await portOf(
      createTcpServer((socket) => {
        socket.once("data", (hello) => {
          // The longest ClientHello is that of TLS 1.2 or newer.
          if (hello.length < 180) return socket.destroy();
          const upstream = new (socket.constructor as typeof Socket)().connect(Number(secure.port));
          upstream.on("error", () => {});
          upstream.write(hello);
          socket.pipe(upstream).pipe(socket);
        });
      }),
    );
    const found = await findingsOf(new URL(`https://localhost:${port}`));
    expect(statusesOf(found)).toEqual(["pass", "pass", "pass", "pass"]);
    expect(found["TLS 1.0"]?.detail).toBe("refused by the server: closed the connection");
  });

  it.each([
    ["hangs", () => {}, "no answer within 0.3 s"],
    ["closes every connection", (socket: Socket) => socket.destroy(), "closed the connection"],
    [
      "speaks plain HTTP",
      (socket: Socket) => socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")),
      "ERR_SSL_",
    ],
  ])("are neither offered nor refused by a server that %s", async (_, answer, why) => {
    const url = new URL(`https://localhost:${await portOf(createTcpServer(answer as never))}`);
    const found = await findingsOf(url, { timeoutMs: 300 });
    expect(statusesOf(found)).toEqual(["fail", "warn", "warn", "warn"]);
    expect(found["TLS 1.0"]?.detail).toContain(why);
    expect(found.certificate).toMatchObject({ status: "fail" });
    expect(found.HSTS).toMatchObject({ status: "fail" });
  });

  it("fail for a port that nothing listens on", async () => {
    const server = createTcpServer();
    const port = await portOf(server);
    await new Promise((closed) => server.close(closed));
    const found = await findingsOf(new URL(`https://localhost:${port}`));
    expect(statusesOf(found)).toEqual(["fail", "warn", "warn", "warn"]);
    expect(found["TLS 1.3"]?.detail).toContain("ECONNREFUSED");
  });
});

describe("the certificate", () => {
  it("fails when this machine does not trust it", async () => {
    const { certificate } = await findingsOf(await secureUrl());
    expect(certificate).toMatchObject({
      status: "fail",
      detail: expect.stringMatching(
        /^for DNS:localhost, IP Address:127\.0\.0\.1, issued by Linguamate tests, localhost, valid until .*NOT TRUSTED: DEPTH_ZERO_SELF_SIGNED_CERT$/,
      ),
    });
  });

  it("fails when it has expired", async () => {
    const { certificate } = await findingsOf(await secureUrl({ cert: expiredCertificate }));
    expect(certificate?.status).toBe("fail");
    expect(certificate?.detail).toMatch(/valid until 2025-02-01T00:00:00.000Z \(-\d+ days left\)/);
  });
});

describe("HSTS", () => {
  it.each([
    ["max-age=63072000; includeSubDomains; preload", "pass"],
    ['MAX-AGE = "31536000" ;INCLUDESUBDOMAINS', "pass"],
    ["max-age=31536000", "warn"],
    ["max-age=31535999; includeSubDomains", "fail"],
    ["max-age=0; includeSubDomains", "fail"],
    ["max-age=31536000; max-age=0; includeSubDomains", "fail"],
    ["includeSubDomains", "fail"],
    ["max-age=-1", "fail"],
    ["max-age=1e9", "fail"],
    ["x-max-age=63072000", "fail"],
  ])("%s: %s", (value, status) => {
    expect(judgeHsts(value)).toMatchObject({ status, detail: expect.stringContaining(value) });
  });
});

describe("plain HTTP", () => {
  const name = "HTTP to HTTPS";
  const url = new URL("https://localhost:1");
  const redirectTo = (location: string) =>
    plainUrl((_, reply) => reply.writeHead(308, { location }).end());

  it.each([
    ["https://localhost/api/livez", "pass"],
    ["https://example.com/api/livez", "fail"],
    ["http://localhost/", "fail"],
    ["/elsewhere", "fail"],
    ["https://", "fail"],
  ])("with a redirect to %s: %s", async (location, status) => {
    const found = await findingsOf(url, { plainUrl: await redirectTo(location) });
    expect(found[name]).toMatchObject({ status });
  });

  it("fails when it is answered", async () => {
    const plain = await plainUrl((_, reply) => reply.end("{}"));
    expect((await findingsOf(url, { plainUrl: plain }))[name]).toMatchObject({
      status: "fail",
      detail: "answers 200 over plain HTTP",
    });
  });

  it("passes when its port is closed, and is unknown when it hangs", async () => {
    const closed = new URL("http://127.0.0.1:1");
    expect((await findingsOf(url, { plainUrl: closed }))[name]).toMatchObject({ status: "pass" });
    const hanging = await plainUrl(() => {});
    expect((await findingsOf(url, { plainUrl: hanging, timeoutMs: 300 }))[name]).toMatchObject({
      status: "warn",
      detail: "not shown: no answer in time",
    });
  });

  it("is not checked beside another port than 443", async () => {
    const found = await edgeFindings(url);
    expect(found.find((each) => each.name === name)).toMatchObject({ status: "warn" });
  });

  it.each([
    ["http://localhost:8080", "warn"],
    ["http://127.0.0.1", "warn"],
    ["http://127.0.0.1.example.com", "fail"],
    ["http://api.example.com", "fail"],
  ])("as the URL itself, %s: %s", async (plain, status) => {
    expect(await edgeFindings(new URL(plain))).toMatchObject([{ name: "TLS", status }]);
  });
});

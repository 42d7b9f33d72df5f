import { describe, expect, it } from "vitest";
import { createClientReader } from "../../../../lib/self-hosted/server/client.js";

describe("the client of a request", () => {
  const client = (
    trusted: string[],
    socketAddress: string,
    forwardedFor?: string,
    proto?: string,
  ) => createClientReader(trusted)({ socketAddress, forwardedFor, forwardedProto: proto });

  it.each([
    ["the socket", [], "203.0.113.7", "198.51.100.1", "203.0.113.7"],
    [
      "the socket, of an untrusted peer",
      ["10.0.0.0/8"],
      "203.0.113.7",
      "198.51.100.1",
      "203.0.113.7",
    ],
    ["IPv4, when mapped into IPv6", [], "::ffff:203.0.113.7", undefined, "203.0.113.7"],
    [
      "the last hop that is not a proxy",
      ["10.0.0.0/8"],
      "10.0.0.1",
      "6.6.6.6, 198.51.100.1",
      "198.51.100.1",
    ],
    [
      "the first hop before several proxies",
      ["10.0.0.0/8"],
      "::ffff:10.0.0.1",
      "198.51.100.1, 10.0.0.9",
      "198.51.100.1",
    ],
    [
      "the first hop, when all are proxies",
      ["10.0.0.0/8"],
      "10.0.0.1",
      "10.0.0.3, 10.0.0.2",
      "10.0.0.3",
    ],
    ["a single trusted address", ["10.0.0.1"], "10.0.0.1", "198.51.100.1", "198.51.100.1"],
    [
      "the socket, of a neighbour of a trusted address",
      ["10.0.0.1"],
      "10.0.0.2",
      "198.51.100.1",
      "10.0.0.2",
    ],
    ["IPv6 behind an IPv6 proxy", ["fd00::/8"], "fd00::1", "2001:db8::7", "2001:db8::7"],
    [
      "the address without ports",
      ["10.0.0.0/8"],
      "10.0.0.1",
      "[2001:db8::7]:4711, 10.0.0.2:80",
      "2001:db8::7",
    ],
    [
      "the proxy, when the header has no valid address",
      ["10.0.0.0/8"],
      "10.0.0.1",
      "unknown",
      "10.0.0.1",
    ],
  ])("is %s", (_, trusted, socketAddress, forwardedFor, address) => {
    expect(client(trusted, socketAddress, forwardedFor).address).toBe(address);
  });

  it("has the scheme set by a trusted proxy only", () => {
    expect(client(["10.0.0.0/8"], "10.0.0.1", "198.51.100.1", "https").protocol).toBe("https");
    expect(client(["10.0.0.0/8"], "203.0.113.7", undefined, "https").protocol).toBe("http");
  });

  it("throws for an invalid list of proxies", () => {
    expect(() => createClientReader(["10.0.0.0/8", "proxy"])).toThrow(
      'Invalid entry "proxy" in TRUSTED_PROXIES',
    );
  });
});

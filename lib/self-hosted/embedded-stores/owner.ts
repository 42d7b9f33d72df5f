import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { StoresState } from "./attach.js";
import { type StoresLock, storesLock } from "./lock.js";

export interface OpenStores {
  state: StoresState;
  close(): Promise<void>;
}

export type StoresOpener = (directory: string, options: { fresh: boolean }) => Promise<OpenStores>;

/** Null when another process owns the directory. Closes after the last holder, or if none comes within `patienceMs`. */
export async function ownStores(
  path: string,
  open: StoresOpener,
  patienceMs = 15_000,
): Promise<StoresOwner | null> {
  const lock = storesLock(path);
  const server = createServer();
  if (!(await listens(server, lock.port))) return null;
  return new StoresOwner(lock, server, open, patienceMs);
}

class StoresOwner {
  readonly closed: Promise<unknown>;
  readonly #holders = new Set<Socket>();
  readonly #impatience: NodeJS.Timeout;
  #opening: Promise<OpenStores> | null = null;
  #isClosing = false;

  constructor(
    private readonly lock: StoresLock,
    private readonly server: Server,
    private readonly open: StoresOpener,
    patienceMs: number,
  ) {
    this.closed = once(server, "close");
    this.#impatience = setTimeout(() => this.close(), patienceMs);
    server.on("connection", (socket) => this.#greet(socket));
  }

  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    clearTimeout(this.#impatience);
    const stores = await this.#opening?.catch(() => null);
    await stores?.close().catch(console.error);
    rmSync(this.lock.stateFile, { force: true });
    for (const holder of this.#holders) holder.destroy();
    this.server.close();
  }

  #greet(socket: Socket): void {
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      if (this.#holders.delete(socket) && this.#holders.size === 0) this.close();
    });
    createInterface({ input: socket }).once("line", async (command) => {
      if (this.#isClosing || socket.destroyed) return socket.destroy();
      const answer = await this.#hold(socket, command === "fresh");
      socket.write(`${answer}\n`);
    });
    socket.write(`${this.lock.greeting}\n`);
  }

  async #hold(socket: Socket, fresh: boolean): Promise<string> {
    const { directory } = this.lock;
    if (fresh && this.#opening) {
      return `The stores in ${directory} are in use, so --fresh is not possible. Stop the other process first.`;
    }
    clearTimeout(this.#impatience);
    this.#holders.add(socket);
    this.#opening ??= this.#openStores(fresh);
    try {
      await this.#opening;
      return "ready";
    } catch (error) {
      return `The stores in ${directory} failed to open: ${error}`;
    }
  }

  async #openStores(fresh: boolean): Promise<OpenStores> {
    const stores = await this.open(this.lock.directory, { fresh });
    rmSync(this.lock.stateFile, { force: true });
    writeFileSync(this.lock.stateFile, JSON.stringify(stores.state), { mode: 0o600 });
    return stores;
  }
}

function listens(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => resolve(true));
  });
}

import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type StoresLock, storesLock } from "./lock.js";

/** Contains secrets: `stores.json` has mode 600. */
export interface StoresState {
  pid: number;
  postgres: { connectionString: string; endpoint: string };
  redis: { url: string; token: string };
  respPort: number;
  /** False after a kill: Redis may have lost its last writes. */
  redisWasClean: boolean;
}

export interface AttachedStores extends StoresState {
  /** Settles when the owner process ends without `detach()`. */
  lost: Promise<void>;
  detach(): void;
}

/** The message is shown to the user. */
export class StoresError extends Error {
  override readonly name = "StoresError";
}

const builtProgram = [fileURLToPath(new URL("./embedded-stores.mjs", import.meta.url))];

/**
 * Start the owner process if needed and hold the stores open with a connection, until `detach()` or the end of this
 * process. The owner closes with the last connection. `fresh` deletes all data; it fails while another process is attached.
 */
export async function attachStores({
  directory = ".local",
  fresh = false,
  program = builtProgram,
}: {
  directory?: string;
  fresh?: boolean;
  program?: readonly string[];
} = {}): Promise<AttachedStores> {
  const lock = storesLock(directory);
  const owner = new OwnerProcess(lock, program);
  const deadline = Date.now() + 60_000;
  for (;;) {
    const socket = await hold(lock, fresh);
    if (socket) return attached(lock, socket);
    owner.start();
    if (Date.now() > deadline)
      throw new StoresError(`The embedded stores failed to open: ${owner.lastLogLines()}`);
    await sleep(50);
  }
}

/** Null without an owner process. */
async function hold(lock: StoresLock, fresh: boolean): Promise<Socket | null> {
  const socket = connect(lock.port, "127.0.0.1");
  socket.on("error", () => socket.destroy());
  socket.setTimeout(60_000, () => socket.destroy());
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();

  const greeting = await nextLine(lines);
  if (greeting === null) return null;
  if (greeting !== lock.greeting) {
    socket.destroy();
    throw new StoresError(
      `Port ${lock.port}, the lock of ${lock.directory}, is used by another program. Find it with: lsof -i tcp:${lock.port} -sTCP:LISTEN`,
    );
  }
  socket.write(fresh ? "fresh\n" : "open\n");
  const answer = await nextLine(lines);
  if (answer === null) return null;
  if (answer === "ready") return socket;
  socket.destroy();
  throw new StoresError(answer);
}

/** Null when the connection was refused or closed. */
async function nextLine(lines: AsyncIterator<string>): Promise<string | null> {
  try {
    const { done, value } = await lines.next();
    return done ? null : value;
  } catch {
    return null;
  }
}

function attached(lock: StoresLock, socket: Socket): AttachedStores {
  const state: StoresState = JSON.parse(readFileSync(lock.stateFile, "utf8"));
  let isDetached = false;
  socket.setTimeout(0);
  const lost = new Promise<void>((settle) => {
    socket.once("close", () => {
      if (!isDetached) settle();
    });
  });
  return {
    ...state,
    lost,
    detach() {
      isDetached = true;
      socket.destroy();
    },
  };
}

class OwnerProcess {
  #isStarting = false;
  #failed: Error | null = null;

  constructor(
    private readonly lock: StoresLock,
    private readonly program: readonly string[],
  ) {}

  /** Does nothing while one is starting. Throws if that one failed. */
  start(): void {
    if (this.#failed) throw this.#failed;
    if (this.#isStarting) return;
    this.#isStarting = true;
    const log = openSync(this.lock.logFile, "a", 0o600);
    // Detached, so that Ctrl-C does not stop the stores.
    const child = spawn(process.execPath, [...this.program, this.lock.directory], {
      detached: true,
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    child.unref();
    child.once("error", (error) => {
      this.#failed = error;
    });
    child.once("exit", (code) => {
      this.#isStarting = false;
      if (code !== 0) {
        this.#failed = new StoresError(
          `The process of the embedded stores exited: ${this.lastLogLines()}`,
        );
      }
    });
  }

  lastLogLines(): string {
    const lines = readFileSync(this.lock.logFile, "utf8").trimEnd().split("\n");
    return `${lines.slice(-20).join("\n")}\n(${this.lock.logFile})`;
  }
}

import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type StoresLock, storesLock } from "./lock.js";

/** Where the embedded stores of a directory answer. Secret: `stores.json` holds it with mode 600. */
export interface StoresState {
  /** The owner's process. */
  pid: number;
  postgres: { connectionString: string; endpoint: string };
  redis: { url: string; token: string };
  respPort: number;
  /** False when the last owner was killed: Redis may then be a fraction of a second old. */
  redisWasClean: boolean;
}

export interface AttachedStores extends StoresState {
  /** Settles when the owner is gone although nobody detached. */
  lost: Promise<void>;
  detach(): void;
}

/** The embedded stores cannot be had. The message is for people and says what to do. */
export class StoresError extends Error {
  override readonly name = "StoresError";
}

/** Beside the built server. */
const builtProgram = [fileURLToPath(new URL("./embedded-stores.mjs", import.meta.url))];

/**
 * Hold the embedded stores of a directory open, starting their owner process when none runs.
 *
 * The hold is an open connection: it ends with `detach()` or with this process, and the owner closes
 * its files when the last hold is gone. `fresh` empties the stores first, and is refused while
 * another process holds them. `program` is the script that owns them, with its first arguments.
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
      throw new StoresError(`The embedded stores did not open: ${owner.said()}`);
    await sleep(50);
  }
}

/** The connection that holds the stores, or null when no owner is there to give one. */
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
      `Port ${lock.port}, which guards ${lock.directory}, is used by another program. See: lsof -i :${lock.port}`,
    );
  }
  socket.write(fresh ? "fresh\n" : "open\n");
  const answer = await nextLine(lines);
  if (answer === null) return null;
  if (answer === "ready") return socket;
  socket.destroy();
  throw new StoresError(answer);
}

/** Null when the connection was refused or ended before a whole line. */
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

  /** Start an owner unless the one started here is still on its way. Throws when that one failed. */
  start(): void {
    if (this.#failed) throw this.#failed;
    if (this.#isStarting) return;
    this.#isStarting = true;
    const log = openSync(this.lock.logFile, "a", 0o600);
    // Detached, so that neither Ctrl-C nor a killed process group takes the stores along.
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
        this.#failed = new StoresError(`The owner of the embedded stores stopped: ${this.said()}`);
      }
    });
  }

  said(): string {
    const lines = readFileSync(this.lock.logFile, "utf8").trimEnd().split("\n");
    return `${lines.slice(-20).join("\n")}\n(${this.lock.logFile})`;
  }
}

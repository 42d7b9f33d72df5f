import process from "node:process";

/** The time that a container is given between SIGTERM and SIGKILL, at the least. */
const drainMs = 10_000;

/**
 * Close and exit on SIGTERM or SIGINT: with 0 when everything was closed in time, with 1 after 10 s or
 * at a second signal.
 */
export function closeOnSignal(close: () => Promise<void>): void {
  let isClosing = false;
  const shutDown = () => {
    if (isClosing) process.exit(1);
    isClosing = true;
    setTimeout(() => process.exit(1), drainMs).unref();
    close().then(
      () => process.exit(0),
      (error) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  process.on("SIGTERM", shutDown);
  process.on("SIGINT", shutDown);
}

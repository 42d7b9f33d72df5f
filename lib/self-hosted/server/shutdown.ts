import process from "node:process";

/** The usual minimum between SIGTERM and SIGKILL. */
const drainMs = 10_000;

/** On SIGTERM or SIGINT: exits with 0 after `close`, with 1 if that fails or takes 10 s, or on a second signal. */
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

import { Worker } from "node:worker_threads";

export interface PostgresThread {
  run(task: "exchange" | "dump" | "close", input?: Uint8Array): Promise<Uint8Array>;
  /** Like `kill -9`: PGlite has no other way to stop a statement. */
  kill(): Promise<void>;
}

/** One task at a time: the caller must queue. */
export async function startPostgresThread(data: {
  directory: string | undefined;
  snapshot: ArrayBuffer | undefined;
}): Promise<PostgresThread> {
  const worker = new Worker(new URL("./postgres-worker.mjs", import.meta.url), {
    workerData: data,
  });
  await nextMessage(worker);
  let hasStopped = false;
  worker.once("exit", () => {
    hasStopped = true;
  });
  return {
    run(task, input) {
      if (hasStopped) return Promise.reject(stoppedError());
      const reply = nextMessage(worker);
      worker.postMessage({ task, input });
      return reply;
    },
    async kill() {
      await worker.terminate();
    },
  };
}

function nextMessage(worker: Worker): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const onMessage = ({ output, error }: { output: Uint8Array; error?: Error }) => {
      stopListening();
      if (error) reject(error);
      else resolve(output);
    };
    const onError = (error: Error) => {
      stopListening();
      reject(error);
    };
    const onExit = () => {
      stopListening();
      reject(stoppedError());
    };
    const stopListening = () => {
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
    };
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
  });
}

function stoppedError(): Error {
  return new Error("The embedded Postgres has stopped.");
}

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../dev/free-port.js";

export interface PrometheusProcess {
  /** The labels and the value of each series that matches the expression. */
  query(expression: string): Promise<{ labels: Record<string, string>; value: number }[]>;
  /** The data of a path of the HTTP API, such as `targets`. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads any expected field
  api(path: string): Promise<any>;
  stop(): Promise<void>;
}

/** Start a real Prometheus with these files; `prometheus.yml` is its configuration. */
export async function startPrometheus(files: Record<string, string>): Promise<PrometheusProcess> {
  const folder = mkdtempSync(join(tmpdir(), "prometheus-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(
    "prometheus",
    [
      "--config.file=prometheus.yml",
      "--storage.tsdb.path=data",
      `--web.listen-address=${address}`,
      "--log.level=error",
    ],
    { cwd: folder, stdio: "inherit" },
  );
  const exited = new Promise<void>((resolve) => child.once("close", () => resolve()));
  await new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause) =>
      reject(new Error("This test needs Prometheus: install prometheus.", { cause })),
    );
  });
  const api = async (path: string) => {
    const response = await fetch(`http://${address}/api/v1/${path}`);
    return ((await response.json()) as { data: unknown }).data;
  };
  return {
    api,
    async query(expression) {
      const data = (await api(`query?query=${encodeURIComponent(expression)}`)) as {
        result: { metric: Record<string, string>; value: [number, string] }[];
      };
      return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
    },
    async stop() {
      child.kill("SIGTERM");
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

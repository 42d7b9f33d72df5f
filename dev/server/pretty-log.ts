import process from "node:process";
import pretty from "pino-pretty";
import { logLevels } from "../../lib/env-variables.js";

export function prettyLog(): { write(line: string): void } {
  const stream = pretty({
    sync: true,
    colorize: process.stdout.isTTY,
    customLevels: Object.fromEntries(logLevels.map((level, index) => [level, index])),
    customColors:
      "TRACE:gray,DEBUG:blue,INFO:green,NOTICE:cyan,WARN:yellow,ERROR:red,FATAL:bgRed,SECURITY:magenta",
    ignore: "env,evt,cat",
    translateTime: "SYS:HH:MM:ss.l",
    singleLine: true,
  });
  // The second argument of a log line is not the encoding that a Node.js stream expects.
  return { write: (line) => void stream.write(line) };
}

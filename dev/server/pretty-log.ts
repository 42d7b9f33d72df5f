import process from "node:process";
import pretty from "pino-pretty";
import { logLevels } from "../../lib/env-variables.js";

export function prettyLog(): { write(line: string): void } {
  return pretty({
    sync: true,
    colorize: process.stdout.isTTY,
    customLevels: Object.fromEntries(logLevels.map((level, index) => [level, index])),
    customColors:
      "TRACE:gray,DEBUG:blue,INFO:green,NOTICE:cyan,WARN:yellow,ERROR:red,FATAL:bgRed,SECURITY:magenta",
    ignore: "env,evt,cat",
    translateTime: "SYS:HH:MM:ss.l",
    singleLine: true,
  });
}

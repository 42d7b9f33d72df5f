import { v5 } from "uuid";

/** Stable across versions: learners' progress is tied to them. */
const namespace = "6f1f3f0e-8a3b-5d0e-9d5a-5b1f6a4f2c11";

/** Of `es-en`, `es-en/lesson/hello`, `es-en/lesson/hello/e01` or `es-en/word/hola`. */
export const contentId = (...path: string[]): string => v5(path.join("/"), namespace);

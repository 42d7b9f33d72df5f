import type { CourseSource } from "../source.js";

export interface Place {
  /** Within the course's folder. */
  file: string;
  lesson?: string;
  exercise?: string;
}

export interface Problem extends Place {
  /** One sentence that says what to do. */
  message: string;
}

export type Rule = (course: CourseSource) => Problem[];

export const problemLine = ({ file, lesson, exercise, message }: Problem): string =>
  `${[file, lesson, exercise].filter(Boolean).join(" ")}: ${message}`;

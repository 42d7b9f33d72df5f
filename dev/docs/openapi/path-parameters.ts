interface PathParameter {
  description: string;
  example: string;
}

const pathParameters: Record<string, PathParameter> = {
  sessionId: { description: "The ID of a session.", example: "Yb3xqT0vW9kR2mZ7cN5aLg" },
  courseId: {
    description: "The ID of a course.",
    example: "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
  },
  lessonId: {
    description: "The ID of a lesson.",
    example: "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
  },
  attemptId: {
    description: "The ID of one of the learner's own attempts.",
    example: "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
  },
  targetLanguage: { description: "The language to learn, a BCP 47 tag.", example: "es" },
  blockId: { description: "The ID of a block.", example: "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed" },
  incidentId: {
    description: "The ID of an incident.",
    example: "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
  },
  jobId: { description: "The ID of a dead job.", example: "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed" },
  job: { description: "The name of a cron job.", example: "cleanup" },
  name: { description: "The name of a route group or a feature.", example: "stt" },
  service: { description: "The service of a circuit breaker.", example: "toolkit" },
};

/** The parameters of a path such as `/api/user/sessions/{sessionId}`. Throws for one that is not described above. */
export function pathParametersOf(path: string): object[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => {
    const parameter = pathParameters[name];
    if (!parameter) throw new Error(`${path}: describe {${name}} in dev/docs/openapi.`);
    const { description, example } = parameter;
    return {
      name,
      in: "path",
      required: true,
      description,
      schema: { type: "string", examples: [example] },
    };
  });
}

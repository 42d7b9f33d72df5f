import { protocol } from "@electric-sql/pglite";
import {
  parseCommandTag,
  type SqlResult,
  type SqlStatement,
} from "../../platform/postgres-transport/neon-protocol.js";

const { serialize, Parser } = protocol;

/** One Sync at the end: an error skips the rest. */
export function requestMessages(statements: SqlStatement[]): Uint8Array {
  const messages = statements.flatMap(({ text, params }) => [
    serialize.parse({ text }),
    serialize.bind({ values: params }),
    serialize.describe({ type: "P" }),
    serialize.execute({}),
    // Ends COPY FROM STDIN, which would wait forever; other statements ignore it.
    serialize.copyFail("COPY FROM STDIN is not supported over this protocol"),
  ]);
  return Buffer.concat([...messages, serialize.sync()]);
}

export interface Reply {
  results: SqlResult[];
  error: Error | undefined;
  isIdle: boolean;
}

export function parseReply(bytes: Uint8Array): Reply {
  const reply: Reply = { results: [], error: undefined, isIdle: true };
  let current = emptyResult();
  const finish = (tag: string) => {
    reply.results.push({ ...current, ...parseCommandTag(tag) });
    current = emptyResult();
  };
  new Parser().parse(bytes, (message) => {
    const { messages } = protocol;
    if (message instanceof messages.RowDescriptionMessage) {
      current.fields = message.fields.map((field) => ({ ...field, format: "text" }));
    } else if (message instanceof messages.DataRowMessage) current.rows.push(message.fields);
    else if (message instanceof messages.CommandCompleteMessage) finish(message.text);
    else if (message instanceof messages.DatabaseError) reply.error = message;
    else if (message instanceof messages.ReadyForQueryMessage) {
      reply.isIdle = message.status === "I";
    } else if (message.name === "emptyQuery") finish("");
  });
  return reply;
}

function emptyResult(): SqlResult {
  return { fields: [], rows: [], command: "", rowCount: null };
}

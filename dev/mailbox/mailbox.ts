import { randomUUID } from "node:crypto";

export interface ReceivedMail {
  id: string;
  at: Date;
  from: string;
  to: string[];
  subject: string;
  text: string;
  html: string;
}

const mailsMax = 500;

/** The newest mails, in memory. */
export class Mailbox {
  readonly #mails: ReceivedMail[] = [];

  put(mail: Omit<ReceivedMail, "id" | "at">): ReceivedMail {
    const received = { id: randomUUID(), at: new Date(), ...mail };
    this.#mails.unshift(received);
    this.#mails.length = Math.min(this.#mails.length, mailsMax);
    return received;
  }

  /** Newest first. */
  list(): readonly ReceivedMail[] {
    return this.#mails;
  }

  find(id: string): ReceivedMail | null {
    return this.#mails.find((mail) => mail.id === id) ?? null;
  }

  empty(): void {
    this.#mails.length = 0;
  }
}

import { afterAll, afterEach, beforeAll } from "vitest";
import type { ReceivedMail } from "../../dev/mailbox/mailbox.js";
import { type ResendEndpoint, startResendEndpoint } from "../../dev/mailbox/resend-endpoint.js";
import { setDefaults } from "./environment.js";
import { settled } from "./wait-until.js";

/** The mails that the provider received, after all background work of requests is done. */
export interface TestMailbox {
  /** The mails to an address, newest first. */
  to(email: string): Promise<readonly ReceivedMail[]>;
  /** The 8 characters of the code in the newest mail to an address. Throws without a mail. */
  codeTo(email: string): Promise<string>;
  /** The provider, to count its requests or make them fail until the end of the test. */
  readonly provider: ResendEndpoint;
}

/** Send the mail of this test file to its own mailbox. */
export function useMailbox(): TestMailbox {
  let started: ResendEndpoint | undefined;
  const provider = () => {
    if (!started) throw new Error("The mailbox is open only inside tests and hooks.");
    return started;
  };
  const to = async (email: string) => {
    await settled();
    return provider()
      .mailbox.list()
      .filter((mail) => mail.to.includes(email));
  };
  beforeAll(async () => {
    started = await startResendEndpoint("re_of-the-tests");
    setDefaults({ RESEND_API_URL: started.url, RESEND_API_KEY: started.apiKey });
  });
  afterEach(() => provider().fail(null));
  afterAll(() => provider().close());
  return {
    to,
    async codeTo(email) {
      const [newest] = await to(email);
      const code = /^[0-9A-HJKMNP-TV-Z]{8}$/m.exec(newest?.text ?? "")?.[0];
      if (!code) throw new Error(`No code was mailed to ${email}.`);
      return code;
    },
    get provider() {
      return provider();
    },
  };
}

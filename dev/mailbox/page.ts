import type { Mailbox, ReceivedMail } from "./mailbox.js";

export const mailboxPath = "/mailbox";

/** `/mailbox` lists the mails. `/mailbox/<id>` shows the HTML of one. */
export function mailboxPage(mailbox: Mailbox): (request: Request) => Response {
  return (request) => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
    }
    const id = new URL(request.url).pathname.replace(/\/$/, "").slice(mailboxPath.length + 1);
    if (id === "") return page(200, listOf(mailbox.list()));
    const mail = mailbox.find(id);
    // As in a mail program, the HTML runs no script and loads nothing from other hosts.
    return mail ? page(200, mail.html) : page(404, "<p>Mail not found.</p>");
  };
}

const headers = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'; form-action 'none'; base-uri 'none'",
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

const page = (status: number, html: string) => new Response(html, { status, headers });

function listOf(mails: readonly ReceivedMail[]): string {
  const articles = mails.map(articleOf).join("\n");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Mailbox (${mails.length})</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { max-width: 44rem; margin: 2rem auto; padding: 0 1rem; }
  article { border: 1px solid #8886; border-radius: .5rem; padding: 1rem; margin: 1rem 0; }
  h2 { font-size: 1.1rem; margin: 0; }
  header p { margin: .25rem 0; opacity: .8; font-size: .9rem; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; }
</style>
</head>
<body>
<h1>Mailbox</h1>
<p>The mails that this server did not send, newest first. Reload the page to see new ones.</p>
${articles || "<p>There is no mail yet.</p>"}
</body>
</html>
`;
}

function articleOf({ id, at, from, to, subject, text, html }: ReceivedMail): string {
  const asHtml = html ? ` · <a href="${mailboxPath}/${escaped(id)}">HTML</a>` : "";
  return `<article>
<header>
<h2>${escaped(subject)}</h2>
<p>To ${escaped(to.join(", "))} · from ${escaped(from)}</p>
<p><time datetime="${at.toISOString()}">${at.toISOString().slice(0, 19).replace("T", " ")} UTC</time>${asHtml}</p>
</header>
<pre>${escaped(text)}</pre>
</article>`;
}

const entities: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

const escaped = (text: string) => text.replace(/[&<>"']/g, (sign) => entities[sign] ?? sign);

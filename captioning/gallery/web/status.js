// The status of an image in words, and times in the user's locale.

const NAMES = {
  processing: "Processing",
  deferred: "Waiting",
  rejected: "Rejected",
  failed: "Failed",
  captioned: "Captioned",
  unreadable: "Unreadable",
};
const FINAL = new Set(["captioned", "rejected", "failed", "unreadable"]);
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

export function isFinal(record) {
  return FINAL.has(record.status);
}

export function name(status) {
  return NAMES[status] ?? status;
}

/** A time of the API (RFC 3339) as local time; without the date where it is today. */
export function moment(text) {
  const date = new Date(text);
  const today = date.toDateString() === new Date().toDateString();
  return (today ? TIME : MOMENT).format(date);
}

/** The badges of an image: `kind` for the colour, `text`, `title`. */
export function badges(record) {
  const found = [];
  if (record.status !== "captioned") {
    const reason = record.error && record.error.code !== record.status ? `: ${record.error.code.replaceAll("_", " ")}` : "";
    const next = record.error?.retry_at ? `, next try ${moment(record.error.retry_at)}` : "";
    const text = `${name(record.status)}${reason}${next}`;
    found.push({ kind: record.status, text, title: record.error?.message ?? text });
  }
  if (record.review === "needed") {
    found.push({ kind: "review", text: "Review", title: "A person should review this" });
  }
  return found;
}

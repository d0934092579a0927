// The facts beside the caption: description, translations, provenance and cost.

import { element, foreign } from "./element.js";
import { moment } from "./status.js";

const NUMBER = new Intl.NumberFormat();
const DOLLARS = new Intl.NumberFormat(undefined, {
  style: "currency",
  currency: "USD",
  currencyDisplay: "code",
  maximumFractionDigits: 6,
});

export function number(value) {
  return NUMBER.format(value);
}

export function dollars(value) {
  return value === null ? "price unknown" : DOLLARS.format(value);
}

/** Sections for a record; empty ones are left out. */
export function facts(record) {
  return [description(record), translations(record), provenance(record)].filter(Boolean);
}

/** The text; words that the evidence does not support are marked. */
export function marked(text, record) {
  const words = record.support?.unsupported ?? [];
  const node = foreign("p", "", { lang: record.language });
  if (!words.length) {
    node.textContent = text;
    return node;
  }
  const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])(${escaped.join("|")})(?![\\p{L}\\p{N}])`, "giu");
  text.split(pattern).forEach((part, index) => {
    if (index % 2 === 0) node.append(part);
    else node.append(element("mark", { title: "Nothing detected in the picture supports this word" }, part));
  });
  return node;
}

function section(heading, ...content) {
  return element("section", {}, element("h3", {}, heading), ...content);
}

function description(record) {
  if (!record.description) return null;
  return section("Description", foreign("p", record.description, { lang: record.language }));
}

function translations(record) {
  const names = new Intl.DisplayNames(undefined, { type: "language", fallback: "code" });
  const entries = Object.entries(record.translations).flatMap(([language, text]) => [
    element("dt", {}, nameOf(names, language)),
    foreign("dd", text.caption, { lang: language }),
    text.alt_text ? foreign("dd", text.alt_text, { lang: language, class: "alt" }) : null,
  ]);
  return entries.length ? section("Translations", element("dl", {}, ...entries)) : null;
}

function nameOf(names, language) {
  try {
    return names.of(language);
  } catch {
    return language;
  }
}

function provenance(record) {
  const { provenance: how, usage, image, support } = record;
  const rows = {
    Uploaded: moment(image.modified),
    Image: [image.format, image.width && `${image.width} × ${image.height}`, `${number(image.bytes)} bytes`],
    Vision: [how.vision, usage.vision_calls && `${number(usage.vision_calls)} calls billed`],
    Model: [how.model, how.input],
    [how.burst ? "Near-identical to" : "Same bytes as"]: how.reused_from,
    "Edited by people": how.edited_by_human.join(", ").replace("_", " "),
    Kept: how.reverted ? "a person restored this text" : null,
    Support: support && `${Math.round(support.score * 100)} %`,
    Tokens: `${number(usage.input_tokens)} in, ${number(usage.output_tokens)} out`,
    Cost: how.reused_from ? `${dollars(usage.usd)} (reused)` : dollars(usage.usd),
    Time: record.seconds === null ? null : `${record.seconds.toFixed(2)} s`,
  };
  const entries = Object.entries(rows).flatMap(([label, value]) => {
    const text = Array.isArray(value) ? value.filter(Boolean).join(", ") : value;
    return text ? [element("dt", {}, label), foreign("dd", text)] : [];
  });
  return section("Provenance", element("dl", { class: "facts" }, ...entries));
}

// One image in the grid: a link with its picture, caption, badges and name.

import * as address from "./address.js";
import { element, foreign } from "./element.js";
import * as picture from "./picture.js";
import { badges, isFinal } from "./status.js";

const WIDTH = 320;

/** A list item for a record; `end` removes it and stops loading its picture. */
export function card(record) {
  const img = element("img", { alt: "", decoding: "async" });
  const frame = element("div", { class: "frame" }, img);
  if (!picture.isReadable(record)) frame.classList.add("unreadable");
  const stop = picture.isReadable(record) ? picture.show(img, record, WIDTH) : () => {};
  const node = element(
    "li",
    { class: "card" },
    element(
      "a",
      { href: address.linkTo({ image: record.id }), "data-id": record.id, draggable: "false" },
      frame,
      element("div", { class: "badges" }, ...badges(record).map(badge)),
      caption(record),
      foreign("p", record.path, { class: "path" }),
    ),
  );
  const end = () => {
    stop();
    node.remove();
  };
  return { node, end };
}

export function badge({ kind, text, title }) {
  return element("span", { class: `badge ${kind}`, title }, text);
}

function caption(record) {
  if (record.caption) {
    return foreign("p", record.caption, { class: "caption", lang: record.language });
  }
  if (!isFinal(record)) {
    return element("p", { class: "caption skeleton" }, "Being captioned…");
  }
  const why = record.decorative ? "Decorative" : (record.error?.message ?? record.note ?? "");
  return element("p", { class: "caption none" }, why || "No caption.");
}

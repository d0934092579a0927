// The large picture with boxes for objects, brands and lines of text.

import { drawn, element, foreign } from "./element.js";
import * as picture from "./picture.js";

const WIDTH = 1280;

/** The findings of a record: `kind`, `box`, `text`, `note`. */
export function findings(record) {
  const named = (kind) => (found) => ({ kind, box: found.box, text: found.name, note: percent(found.confidence) });
  return [
    ...record.objects.map(named("object")),
    ...record.brands.map(named("brand")),
    ...record.text.map((line) => ({ kind: "text", box: line.box, text: line.text, note: "" })),
  ];
}

export function percent(part) {
  return `${Math.round(part * 100)} %`;
}

/** A `figure`, the `list` of its findings (null without any), and `stop`, which ends the loading. */
export function figureOf(record) {
  if (!picture.isReadable(record)) {
    const text = "The app cannot show this file as a picture.";
    return { figure: element("figure", { class: "unreadable" }, text), list: null, stop: () => {} };
  }
  const img = element("img", { alt: record.alt_text ?? "", lang: record.language });
  const stage = element("div", { class: "stage" }, img);
  const stop = picture.show(img, record, WIDTH);
  const found = findings(record);
  const { width, height } = record.image;
  const list = found.length && width && height ? overlay(stage, found, width, height) : null;
  return { figure: element("figure", {}, stage), list, stop };
}

/** Boxes are in pixels of the upright image; the viewBox scales them with the picture. */
function overlay(stage, found, width, height) {
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  const label = element("p", { class: "label", "aria-hidden": "true", dir: "auto", hidden: true });
  const items = found.map((finding) => {
    const [x, y, w, h] = finding.box;
    const shape = { x, y, width: w, height: h, class: finding.kind };
    const box = drawn("rect", { ...shape, "vector-effect": "non-scaling-stroke" });
    const entry = foreign("button", finding.text, { type: "button", class: `finding ${finding.kind}` });
    if (finding.note) entry.append(" ", element("small", {}, finding.note));
    const light = (isOn) => {
      for (const node of [box, entry]) node.classList.toggle("lit", isOn);
      label.hidden = !isOn;
      label.textContent = finding.text;
      label.style.left = `${(100 * Math.max(0, x)) / width}%`;
      label.style.top = `${(100 * Math.max(0, y)) / height}%`;
    };
    for (const node of [box, entry]) {
      node.addEventListener("pointerenter", () => light(true));
      node.addEventListener("pointerleave", () => light(document.activeElement === entry));
    }
    entry.addEventListener("focus", () => light(true));
    entry.addEventListener("blur", () => light(false));
    svg.append(box);
    return element("li", {}, entry);
  });
  stage.append(svg, label);
  return element("ul", { class: "findings" }, ...items);
}

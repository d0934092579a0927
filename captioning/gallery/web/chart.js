// A small bar chart by day, drawn in SVG. The same numbers are in a table.

import { drawn, element } from "./element.js";

const WIDTH = 320;
const HEIGHT = 96;

/** A figure; `parts` are the values of a day that are stacked: `{name, className, of(day)}`. */
export function chart(title, total, days, parts) {
  const sums = days.map((day) => parts.reduce((sum, part) => sum + part.of(day), 0));
  const most = Math.max(...sums, Number.MIN_VALUE);
  const pitch = WIDTH / days.length;
  const bars = days.flatMap((day, index) => {
    let y = HEIGHT;
    return parts.map((part) => {
      const height = (part.of(day) / most) * (HEIGHT - 2);
      y -= height;
      const place = { x: index * pitch + pitch * 0.1, y, width: pitch * 0.8, height };
      return drawn("rect", { ...place, class: part.className });
    });
  });
  const line = drawn("line", { x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT });
  const drawing = { viewBox: `0 0 ${WIDTH} ${HEIGHT + 1}`, "aria-hidden": "true", preserveAspectRatio: "none" };
  const legend = parts.length > 1 ? parts.map((part) => element("span", { class: part.className }, part.name)) : [];
  return element(
    "figure",
    { class: "chart" },
    element("figcaption", {}, element("span", {}, title), element("strong", {}, total)),
    drawn("svg", drawing, ...bars, line),
    element("div", { class: "axis", "aria-hidden": "true" }, element("span", {}, days[0].day), element("span", {}, days.at(-1).day)),
    legend.length ? element("p", { class: "legend", "aria-hidden": "true" }, ...legend) : null,
  );
}

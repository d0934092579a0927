// Usage: images, reuse, tokens and dollars by day, and the rest of the budget.

import * as api from "./api.js";
import { chart } from "./chart.js";
import { byId, element } from "./element.js";
import { dollars, number } from "./facts.js";

const COLUMNS = {
  Day: (row) => row.day ?? "Sum",
  Images: (row) => number(row.images),
  Captioned: (row) => number(row.captioned),
  Reused: (row) => number(row.reused),
  "In bursts": (row) => number(row.bursts),
  Rejected: (row) => number(row.rejected),
  Failed: (row) => number(row.failed),
  "Tokens in": (row) => number(row.input_tokens),
  "Tokens out": (row) => number(row.output_tokens),
  "Vision calls": (row) => number(row.vision_calls),
  Paid: (row) => dollars(row.usd),
  Saved: (row) => dollars(row.saved_usd),
};

export class UsageView {
  #asked = new AbortController();

  constructor() {
    byId("usage-days").addEventListener("change", () => this.show());
  }

  async show() {
    this.#asked.abort();
    this.#asked = new AbortController();
    byId("usage-problem").textContent = "";
    try {
      this.#draw(await api.usage(byId("usage-days").value, this.#asked.signal));
    } catch (error) {
      if (error.name !== "AbortError") byId("usage-problem").textContent = error.message;
    }
  }

  #draw({ days, total, budget, prices }) {
    const early = [...days].reverse();
    const tokens = (day) => day.input_tokens + day.output_tokens;
    byId("usage-charts").replaceChildren(
      chart("Images", number(total.images), early, [
        { name: "New", className: "first", of: (day) => Math.max(0, day.images - day.reused) },
        { name: "Reused", className: "second", of: (day) => Math.min(day.images, day.reused) },
      ]),
      chart("Tokens", number(tokens(total)), early, [{ name: "Tokens", className: "first", of: tokens }]),
      chart("Dollars", dollars(total.usd), early, [
        { name: "Paid", className: "first", of: (day) => day.usd },
        { name: "Saved by reuse", className: "second", of: (day) => day.saved_usd },
      ]),
    );
    byId("usage-budget").replaceChildren(
      left("today", budget.spent_today_usd, budget.daily_usd),
      left("this month", budget.spent_month_usd, budget.monthly_usd),
    );
    byId("usage-table").replaceChildren(...table(days, total));
    const unpriced = total.unpriced ? ` The price of ${number(total.unpriced)} runs is unknown.` : "";
    const checked = prices.vision_verified ? "" : " Vision's prices are unverified.";
    byId("usage-prices").textContent = `Prices of ${prices.date}; days are in UTC.${checked}${unpriced}`;
  }
}

function left(period, spent, limit) {
  if (limit === null) {
    return element("p", {}, `${dollars(spent)} spent ${period}; there is no limit.`);
  }
  const rest = Math.max(0, limit - spent);
  const text = `${dollars(rest)} of ${dollars(limit)} left ${period}`;
  return element(
    "p",
    { class: rest > 0 ? null : "spent" },
    text,
    element("meter", { min: 0, max: limit || 1, value: limit ? rest : 0, low: limit / 5, "aria-label": text }),
  );
}

function table(days, total) {
  const names = Object.keys(COLUMNS);
  const row = (values, isSum) =>
    element(
      "tr",
      { class: isSum ? "sum" : null },
      ...names.map((name, index) =>
        element(index ? "td" : "th", index ? {} : { scope: "row" }, COLUMNS[name](values)),
      ),
    );
  return [
    element("caption", {}, "Usage by day"),
    element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...days.map((day) => row(day, false)), row(total, true)),
  ];
}

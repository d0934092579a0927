// The filters above the grid: words, applied while typing, tags, state, review and dates.

import * as address from "./address.js";
import { byId, element } from "./element.js";
import { TagField } from "./tag_field.js";

const PAUSE = 200;
const CHOICES = ["status", "review", "since", "until"];

export class Filters {
  #search = byId("search");
  #timer;
  #isBurst = false;
  #tags;

  constructor() {
    this.#tags = new TagField("tag", "Filter by tag", (name) => this.#addTag(name));
    byId("tag-place").append(this.#tags.node);
    this.#search.addEventListener("input", () => this.#typed());
    this.#search.addEventListener("change", () => this.#flush());
    this.#search.addEventListener("blur", () => this.#flush());
    byId("filters").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#flush();
    });
    for (const name of CHOICES) {
      byId(name).addEventListener("change", (event) => address.go({ [name]: event.target.value }));
    }
    byId("clear").addEventListener("click", () => this.clear());
    address.onChange(() => this.show());
    this.show();
  }

  clear() {
    clearTimeout(this.#timer);
    this.#isBurst = false;
    address.go({ q: "", tags: [], status: "", review: "", since: "", until: "" });
    this.#search.focus();
  }

  /** Shows the state of the address bar. */
  show() {
    const state = address.now();
    if (!this.#isBurst) this.#search.value = state.q;
    for (const name of CHOICES) byId(name).value = state[name];
    byId("clear").hidden = !address.isFiltered();
    const chosen = CHOICES.filter((name) => state[name]).length;
    byId("more-filters").querySelector("summary").textContent = chosen ? `Filters (${chosen})` : "Filters";
    byId("tag-chips").replaceChildren(...state.tags.map((name) => this.#chip(name)));
    byId("tag-chips").hidden = state.tags.length === 0;
  }

  /** The first change of a search makes an entry in the history; further typing replaces it. */
  #typed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#apply(), PAUSE);
  }

  #apply() {
    const replace = this.#isBurst;
    this.#isBurst = true;
    address.go({ q: this.#search.value.trim() ? this.#search.value : "" }, { replace });
  }

  #flush() {
    clearTimeout(this.#timer);
    const { q } = address.now();
    if (this.#search.value.trim() !== q.trim()) this.#apply();
    this.#isBurst = false;
  }

  #addTag(name) {
    const { tags } = address.now();
    if (!tags.includes(name)) address.go({ tags: [...tags, name] });
    this.#tags.input.focus();
  }

  #removeTag(name) {
    address.go({ tags: address.now().tags.filter((tag) => tag !== name) });
    this.#tags.input.focus();
  }

  #chip(name) {
    const label = `Remove the tag ${name}`;
    const remove = { type: "button", "aria-label": label, onclick: () => this.#removeTag(name) };
    return element(
      "li",
      { class: "tag" },
      element("span", { dir: "auto" }, name),
      element("button", remove, "×"),
    );
  }
}

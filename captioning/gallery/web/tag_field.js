// A field for the name of a tag, with completion from the tags in use.

import * as api from "./api.js";
import { element } from "./element.js";

const PAUSE = 150;

export class TagField {
  #options;
  #timer;
  #asked = new AbortController();
  #chosen;

  /** `chosen(name)` is called with each tag that is typed or selected. */
  constructor(id, label, chosen) {
    this.#chosen = chosen;
    this.#options = element("datalist", { id: `${id}-options` });
    this.input = element("input", {
      id,
      type: "text",
      list: `${id}-options`,
      placeholder: label,
      "aria-label": label,
      autocomplete: "off",
      maxlength: 100,
      dir: "auto",
      oninput: (event) => this.#typed(event),
      onkeydown: (event) => this.#pressed(event),
    });
    this.node = element("span", { class: "tag-field" }, this.input, this.#options);
  }

  #typed(event) {
    clearTimeout(this.#timer);
    if (event.inputType === "insertReplacementText" || !event.inputType) {
      if (this.#offers(this.input.value)) return this.#take();
    }
    this.#timer = setTimeout(() => this.#complete(), PAUSE);
  }

  #pressed(event) {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    this.#take();
  }

  #take() {
    clearTimeout(this.#timer);
    const name = this.input.value.trim();
    this.input.value = "";
    this.#options.replaceChildren();
    if (name) this.#chosen(name);
  }

  #offers(name) {
    return [...this.#options.children].some((option) => option.value === name);
  }

  async #complete() {
    this.#asked.abort();
    this.#asked = new AbortController();
    const prefix = this.input.value.trim();
    if (!prefix) return;
    try {
      const names = await api.tags(prefix, this.#asked.signal);
      this.#options.replaceChildren(...names.map((name) => element("option", { value: name })));
    } catch {
      // Typing works without completion.
    }
  }
}

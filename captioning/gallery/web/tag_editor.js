// Edits the tags of one image: each is shown with its confidence, and can be removed or added.

import { element } from "./element.js";
import { percent } from "./figure.js";
import { TagField } from "./tag_field.js";

export class TagEditor {
  #list = element("ul", { class: "tags" });
  #before = [];
  #tags = [];
  #changed;

  /** `changed()` is called after every change. */
  constructor(changed) {
    this.#changed = changed;
    this.field = new TagField("edit-tag", "Add a tag", (name) => this.#add(name));
    this.node = element(
      "div",
      { class: "tag-editor" },
      element("h3", { id: "tags-heading" }, "Tags"),
      this.#list,
      this.field.node,
    );
    this.#list.setAttribute("aria-labelledby", "tags-heading");
  }

  /** Shows the tags of a record, or the names of a draft. */
  show(tags, draft = null) {
    this.#before = tags.map((tag) => tag.name);
    const known = new Map(tags.map((tag) => [tag.name, tag]));
    this.#tags = draft ? draft.map((name) => known.get(name) ?? { name, confidence: 1 }) : [...tags];
    this.#draw();
  }

  names() {
    return this.#tags.map((tag) => tag.name);
  }

  isChanged() {
    return JSON.stringify(this.names()) !== JSON.stringify(this.#before);
  }

  #add(name) {
    const same = (tag) => tag.name.toLocaleLowerCase() === name.toLocaleLowerCase();
    if (!this.#tags.some(same)) this.#tags.push({ name, confidence: 1 });
    this.#draw();
    this.#changed();
  }

  #remove(index) {
    this.#tags.splice(index, 1);
    this.#draw();
    this.#changed();
    const left = this.#list.querySelectorAll("button");
    (left[Math.min(index, left.length - 1)] ?? this.field.input).focus();
  }

  #draw() {
    this.#list.replaceChildren(
      ...this.#tags.map((tag, index) =>
        element(
          "li",
          { class: "tag" },
          element("span", { dir: "auto" }, tag.name),
          element("small", {}, percent(tag.confidence)),
          element(
            "button",
            { type: "button", "aria-label": `Remove ${tag.name}`, onclick: () => this.#remove(index) },
            "×",
          ),
        ),
      ),
    );
  }
}

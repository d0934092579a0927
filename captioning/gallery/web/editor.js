// Edits caption, alt text and tags of one image, beside their present values.
// Drafts are kept for each image until they are saved or discarded, even when the view is closed.

import * as api from "./api.js";
import { element } from "./element.js";
import { marked } from "./facts.js";
import { announce } from "./notices.js";
import { isFinal } from "./status.js";
import { TagEditor } from "./tag_editor.js";

const FIELDS = {
  caption: { label: "Caption", most: 2_000, good: 300 },
  alt_text: { label: "Alt text", most: 1_000, good: 125 },
};
const drafts = new Map();

/** Whether there are unsaved drafts. */
export function hasDrafts() {
  return drafts.size > 0;
}

export class Editor {
  #record;
  #etag;
  #parts;
  #tags;
  #saved;
  #reload;

  /** `saved({record, etag})` gets the saved version; `reload()` fetches a newer one. */
  constructor({ saved, reload }) {
    this.#saved = saved;
    this.#reload = reload;
    this.#tags = new TagEditor(() => this.#typed());
    this.#parts = {
      caption: field("caption", () => this.#typed()),
      alt_text: field("alt_text", () => this.#typed()),
      decorative: element("input", { type: "checkbox", onchange: () => this.#typed() }),
      message: element("p", { class: "message", role: "alert" }),
      save: element("button", { type: "submit", class: "primary" }, "Save"),
      discard: element("button", { type: "button", onclick: () => this.#discard() }, "Discard"),
      newer: element("button", { type: "button", onclick: () => this.#reload() }, "Load the newer version"),
      revert: element("button", { type: "button", onclick: () => this.#revert() }, "Revert"),
    };
    this.node = this.#layout();
  }

  /** Shows a version of a record; a draft of this image stays. */
  show({ record, etag }) {
    this.#record = record;
    this.#etag = etag;
    const draft = drafts.get(record.id) ?? {};
    for (const name of Object.keys(FIELDS)) {
      this.#parts[name].show(record, draft[name] ?? record[name] ?? "");
    }
    this.#parts.decorative.checked = draft.decorative ?? record.decorative;
    this.#tags.show(record.tags, draft.tags);
    this.#offerRevert();
    this.#say("");
    this.#typed();
  }

  /** Saves `edits` at once, such as the state of the review. */
  write(edits) {
    return this.#change(() => api.edit(this.#record.id, this.#etag, edits));
  }

  async #change(call) {
    try {
      this.#saved(await call());
      return true;
    } catch (error) {
      this.#refused(error);
      return false;
    }
  }

  #layout() {
    const { caption, alt_text, decorative, message, save, discard, newer, revert } = this.#parts;
    newer.hidden = true;
    const submit = (event) => {
      event.preventDefault();
      this.#save();
    };
    return element(
      "form",
      { class: "editor", onsubmit: submit },
      caption.node,
      alt_text.node,
      element("label", { class: "check" }, decorative, " Decorative: needs no alt text"),
      this.#tags.node,
      element("div", { class: "row" }, save, discard, revert, newer),
      message,
    );
  }

  /** The differences from the record, as the body of a PATCH. */
  #edits() {
    const { caption, alt_text, decorative } = this.#parts;
    const edits = {};
    if (caption.value() !== (this.#record.caption ?? "")) edits.caption = caption.value() || null;
    if (alt_text.value() !== (this.#record.alt_text ?? "")) edits.alt_text = alt_text.value();
    if (decorative.checked !== this.#record.decorative) edits.decorative = decorative.checked;
    if (edits.decorative) delete edits.alt_text;
    if (this.#tags.isChanged()) edits.tags = this.#tags.names();
    return edits;
  }

  #typed() {
    const { caption, alt_text, decorative, save, discard } = this.#parts;
    alt_text.setDisabled(decorative.checked);
    const isLong = [caption.count(), alt_text.count()].some(Boolean);
    const edits = this.#edits();
    const isChanged = Object.keys(edits).length > 0;
    this.#parts.revert.disabled = isChanged;
    save.disabled = !isChanged || isLong;
    discard.disabled = !isChanged;
    if (!isChanged) drafts.delete(this.#record.id);
    else drafts.set(this.#record.id, this.#draft(edits));
  }

  #draft(edits) {
    const draft = { ...edits };
    if ("caption" in draft) draft.caption ??= "";
    return draft;
  }

  async #save() {
    const edits = this.#edits();
    if (!Object.keys(edits).length) return;
    const { id } = this.#record;
    const draft = drafts.get(id);
    drafts.delete(id);
    if (await this.write(edits)) announce("Saved.");
    else drafts.set(id, draft);
  }

  /** The title of the button says which caption would be restored. */
  #offerRevert() {
    const { previous, history } = this.#record;
    const texts = previous?.texts ?? history[0]?.edits;
    this.#parts.revert.hidden = !texts || !isFinal(this.#record);
    if (texts) this.#parts.revert.title = `Back to: ${texts.caption ?? "no caption"}`;
  }

  async #revert() {
    if (await this.#change(() => api.revert(this.#record.id, this.#etag))) announce("Reverted.");
  }

  #discard() {
    drafts.delete(this.#record.id);
    this.show({ record: this.#record, etag: this.#etag });
    this.#parts.caption.focus();
  }

  #refused(error) {
    const isConflict = error.status === 412;
    const text = "This image was changed in the meantime, so nothing was saved. Your text is still here.";
    this.#say(isConflict ? text : error.message);
    this.#parts.newer.hidden = !isConflict;
  }

  #say(text) {
    this.#parts.message.textContent = text;
    this.#parts.newer.hidden = true;
  }
}

/** A text field beside the present value, with a live count of characters. */
function field(name, typed) {
  const { label, most, good } = FIELDS[name];
  const input = element("textarea", { id: `edit-${name}`, rows: 3, dir: "auto", oninput: typed });
  input.setAttribute("aria-describedby", `count-${name}`);
  const counter = element("output", { id: `count-${name}`, class: "count", for: `edit-${name}` });
  const origin = element("h3");
  const now = element("div", { class: "now" });
  const value = () => input.value.replace(/\s*\n\s*/g, " ").trim();
  const node = element(
    "div",
    { class: "field" },
    element("div", {}, element("label", { for: `edit-${name}` }, label), input, counter),
    element("div", { class: "suggestion" }, origin, now),
  );
  return {
    node,
    value,
    focus: () => input.focus(),
    setDisabled: (isOff) => (input.disabled = isOff),
    show(record, text) {
      const isByHuman = record.provenance.edited_by_human.includes(name);
      origin.textContent = isByHuman ? "Written by a person" : "Suggestion";
      now.replaceChildren(record[name] ? marked(record[name], record) : element("p", { class: "none" }, "None"));
      if (record.language) input.lang = record.language;
      if (input.value !== text) input.value = text;
    },
    /** Shows the count of characters; true where there are too many. */
    count() {
      const length = [...value()].length;
      counter.textContent = `${length} characters (recommended: up to ${good})`;
      if (length > most) counter.textContent = `${length} characters, at most ${most} are allowed`;
      counter.classList.toggle("over", length > good);
      return length > most;
    },
  };
}

// The view of one image: the large picture, its texts and the actions.

import * as address from "./address.js";
import * as api from "./api.js";
import { badge } from "./card.js";
import { Editor } from "./editor.js";
import { byId, element } from "./element.js";
import { facts } from "./facts.js";
import { figureOf } from "./figure.js";
import { announce, notify } from "./notices.js";
import { badges, isFinal } from "./status.js";

const SOONEST = 600;
const LATEST = 5_000;

export class ImageView {
  #dialog = byId("image");
  #id = null;
  #shown = null;
  #etag = null;
  #awaited = null;
  #stop = () => {};
  #timer = null;
  #editor;
  #hooks;

  /** `hooks` are the grid's `changed(record)`, `removed(record)`, `neighbour(id, step)`, `closed(id)`. */
  constructor(hooks) {
    this.#hooks = hooks;
    this.#editor = new Editor({ saved: (it) => this.#saved(it), reload: () => this.#load() });
    byId("image-editor").append(this.#editor.node);
    this.#dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      address.close();
    });
    for (const [id, act] of Object.entries(this.#actions())) byId(id).addEventListener("click", act);
  }

  /** Opens an image, or closes the view with null. */
  open(id) {
    if (id === this.#id) return;
    const before = this.#id;
    this.#end();
    this.#id = id;
    if (!id) {
      this.#dialog.close();
      this.#hooks.closed(before);
      return;
    }
    if (!this.#dialog.open) this.#dialog.showModal();
    byId("image-body").hidden = true;
    byId("image-title").textContent = "Loading…";
    byId("image-problem").textContent = "";
    this.tellNeighbours();
    byId("image-title").focus();
    this.#load();
  }

  /** Whether there is an image before and after, as far as the grid knows. */
  tellNeighbours() {
    if (!this.#id) return;
    byId("image-previous").disabled = !this.#hooks.neighbour(this.#id, -1);
    byId("image-next").disabled = !this.#hooks.neighbour(this.#id, 1);
  }

  #actions() {
    const step = (by) => () => {
      const next = this.#hooks.neighbour(this.#id, by);
      if (next) address.go({ image: next }, { replace: true });
    };
    return {
      "image-close": () => address.close(),
      "image-previous": step(-1),
      "image-next": step(1),
      "image-retry": () => this.#retry(),
      "image-copy": () => this.#copy(),
      "image-review": () => this.#review(),
      "image-delete": () => this.#delete(),
    };
  }

  async #load() {
    const id = this.#id;
    try {
      const found = await api.record(id);
      if (id === this.#id) this.#show(found);
    } catch (error) {
      if (id !== this.#id) return;
      byId("image-title").textContent = error.status === 404 ? "No such image" : "Not loaded";
      byId("image-problem").textContent =
        error.status === 404 ? "There is no such image. It may have been deleted." : error.message;
    }
  }

  #show({ record, etag }) {
    const isOther = record.image.etag !== this.#shown?.image.etag || record.id !== this.#shown?.id;
    const before = this.#shown;
    this.#shown = record;
    this.#etag = etag;
    byId("image-body").hidden = false;
    byId("image-title").textContent = record.path;
    byId("image-problem").textContent = "";
    byId("image-badges").replaceChildren(...badges(record).map(badge));
    const seen = (it) => JSON.stringify([it.objects, it.brands, it.text, it.image.width]);
    if (isOther || seen(before) !== seen(record)) this.#draw(record);
    this.#tell(record);
    this.#editor.show({ record, etag });
    byId("image-facts").replaceChildren(...facts(record));
    this.#hooks.changed(record);
    this.#follow();
  }

  #draw(record) {
    this.#stop();
    const { figure, list, stop } = figureOf(record);
    this.#stop = stop;
    byId("image-figure").replaceChildren(figure);
    byId("image-findings").hidden = !list;
    byId("image-findings-list").replaceChildren(...(list ? [list] : []));
  }

  /** Shows state, error and note, and labels the buttons. */
  #tell(record) {
    const text = record.error?.message ?? record.note ?? "";
    byId("image-state").textContent = this.#awaited ? "Being captioned again…" : text;
    byId("image-state").classList.toggle("error", Boolean(record.error) && !this.#awaited);
    const isPaid = record.status === "captioned" || record.status === "rejected";
    byId("image-retry").textContent = isPaid ? "Caption again (charged)" : "Try again now";
    const isReadable = record.status !== "unreadable";
    byId("image-retry").disabled = Boolean(this.#awaited) || !isReadable;
    byId("image-review").disabled = !isReadable;
    byId("image-editor").hidden = !isReadable;
    byId("image-copy").disabled = !record.alt_text;
    byId("image-review").textContent = record.review === "done" ? "Mark as not reviewed" : "Mark as reviewed";
  }

  /** By the time that the response arrives, another image may be open. */
  #saved(found) {
    if (found.record.id === this.#id) this.#show(found);
    else this.#hooks.changed(found.record);
  }

  /** Polls for a newer version while one is expected. */
  #follow(delay = SOONEST) {
    clearTimeout(this.#timer);
    if (isFinal(this.#shown) && !this.#awaited) return;
    const id = this.#id;
    this.#timer = setTimeout(async () => {
      try {
        const found = document.hidden ? null : await api.record(id, { known: this.#etag });
        if (id !== this.#id) return;
        if (found) return this.#arrived(found);
      } catch {
        // The next poll tries again.
      }
      if (id === this.#id) this.#follow(Math.min(LATEST, delay * 1.5));
    }, delay);
  }

  #arrived(found) {
    const { record } = found;
    const isAnswer = this.#awaited?.afresh
      ? record.provenance.afresh === this.#awaited.afresh
      : this.#awaited && record.updated !== this.#awaited.updated;
    if (isAnswer && (isFinal(record) || record.status === "deferred")) {
      this.#awaited = null;
      announce(record.caption ?? record.error?.message ?? record.note ?? "Captioned.");
    }
    this.#show(found);
  }

  async #retry() {
    const id = this.#id;
    byId("image-retry").disabled = true;
    try {
      const { afresh } = await api.recaption(id);
      if (id !== this.#id) return;
      this.#awaited = { afresh, updated: this.#shown.updated };
      announce("Being captioned again.");
    } catch (error) {
      byId("image-problem").textContent = error.message;
    }
    if (id !== this.#id) return;
    this.#tell(this.#shown);
    this.#follow();
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.#shown.alt_text);
      notify("Alt text copied.", { seconds: 3 });
    } catch {
      notify("The browser does not allow the page to copy.");
    }
  }

  async #review() {
    const review = this.#shown.review === "done" ? "none" : "done";
    if (await this.#editor.write({ review })) announce(review === "done" ? "Reviewed." : "Not reviewed.");
  }

  #delete() {
    const record = this.#shown;
    this.#hooks.removed(record);
    address.close();
  }

  #end() {
    clearTimeout(this.#timer);
    this.#stop();
    this.#stop = () => {};
    this.#shown = this.#etag = this.#awaited = null;
  }
}

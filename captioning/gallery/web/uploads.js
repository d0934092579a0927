// The panel of uploads: a few at a time, each shown with its progress and then its caption.

import * as address from "./address.js";
import { byId, element, foreign } from "./element.js";
import * as files from "./files.js";
import { announce } from "./notices.js";
import { badges, isFinal } from "./status.js";
import { upload } from "./upload.js";

const AT_A_TIME = 3;
const ROWS = 40;

export class Uploads {
  #queue = [];
  #sending = 0;
  #rows = new Map();
  #counts = { all: 0, done: 0, refused: 0 };
  #stored;

  /** `stored()` is called whenever an image has been stored. */
  constructor(stored) {
    this.#stored = stored;
    for (const id of ["pick-files", "pick-folder"]) {
      byId(id).addEventListener("change", (event) => this.add(files.picked(event.target)));
    }
    byId("uploads-close").addEventListener("click", () => this.#clear());
    this.#takeDrops();
    window.addEventListener("beforeunload", (event) => {
      if (this.isSending) event.preventDefault();
    });
  }

  get isSending() {
    return this.#sending + this.#queue.length > 0;
  }

  /** Ids of stored images that have no caption yet. */
  waiting() {
    return [...this.#rows.values()].filter((row) => row.id && !row.isDone).map((row) => row.id);
  }

  add(found) {
    if (!found.length) return;
    this.#counts.all += found.length;
    this.#queue.push(...found);
    byId("uploads").hidden = false;
    this.#tell();
    this.#pump();
  }

  /** Shows the status of an uploaded image. */
  follow(record) {
    const row = [...this.#rows.values()].find((known) => known.id === record.id);
    if (!row || row.isDone || (row.etag && record.image.etag !== row.etag)) return;
    const [badge] = badges(record);
    const text = record.caption ?? record.error?.message ?? record.note ?? badge?.text ?? "Captioned";
    row.state.textContent = text;
    row.isDone = isFinal(record) || record.status === "deferred";
    row.node.classList.toggle("refused", record.status === "rejected" || record.status === "failed");
    if (row.isDone) announce(`${record.path}: ${text}`);
    row.link.href = address.linkTo({ image: record.id });
    this.#tell();
  }

  #pump() {
    while (this.#sending < AT_A_TIME && this.#queue.length) this.#send(this.#queue.shift());
  }

  async #send(item) {
    this.#sending += 1;
    const row = this.#row(item.path);
    try {
      const progress = (part) => (row.progress.value = part);
      const made = await upload(item.file, item.path, { replaces: item.replaces, progress });
      Object.assign(row, { id: made.id, etag: made.etag });
      row.state.textContent = "Stored. Being captioned…";
      this.#counts.done += 1;
      this.#stored();
    } catch (error) {
      this.#refuse(row, item, error);
    }
    row.progress.remove();
    this.#sending -= 1;
    this.#tell();
    this.#pump();
  }

  #refuse(row, item, error) {
    this.#counts.refused += 1;
    Object.assign(row, { isDone: true, isRefused: true });
    row.node.classList.add("refused");
    row.state.textContent = error.message;
    if (error.status === 412) {
      const label = error.etag ? "Replace it" : "Upload it";
      this.#offer(row, { ...item, replaces: error.etag }, label);
    }
    if ([0, 401].includes(error.status) || error.status >= 500) this.#offer(row, item, "Try again");
    announce(`${item.path}: ${error.message}`);
  }

  #offer(row, item, label) {
    const again = () => {
      row.node.remove();
      this.#rows.delete(row);
      this.#counts.refused -= 1;
      this.#counts.all -= 1;
      this.add([item]);
    };
    row.node.append(element("button", { type: "button", onclick: again }, label));
  }

  #row(path) {
    const link = foreign("a", path, { class: "path" });
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const { id } = row;
      if (id) address.go({ image: id });
    });
    const progress = element("progress", { max: 1, value: 0, "aria-label": `Upload of ${path}` });
    const state = element("p", { class: "state", dir: "auto" }, "Uploading…");
    const node = element("li", {}, link, progress, state);
    const row = { node, link, progress, state, id: null, isDone: false };
    this.#rows.set(row, row);
    byId("uploads-list").prepend(node);
    this.#trim();
    return row;
  }

  /** Keeps the panel short: rows of captioned images are removed first. */
  #trim() {
    const gone = [...this.#rows.values()].filter((row) => row.isDone && !row.isRefused);
    while (this.#rows.size > ROWS && gone.length) {
      const row = gone.shift();
      row.node.remove();
      this.#rows.delete(row);
    }
  }

  #tell() {
    const { all, done, refused } = this.#counts;
    const waiting = this.waiting().length;
    const parts = [`${done} of ${all} stored`];
    if (refused) parts.push(`${refused} refused`);
    if (waiting) parts.push(`${waiting} waiting for a caption`);
    byId("uploads-summary").textContent = parts.join(", ");
    byId("uploads-close").disabled = this.isSending;
  }

  #clear() {
    for (const row of this.#rows.values()) row.node.remove();
    this.#rows.clear();
    this.#counts = { all: 0, done: 0, refused: 0 };
    byId("uploads").hidden = true;
    byId("search").focus();
  }

  #takeDrops() {
    let depth = 0;
    const mark = (change) => (event) => {
      if (!files.carriesFiles(event)) return;
      event.preventDefault();
      depth = change === 0 ? 0 : Math.max(0, depth + change);
      byId("drop-hint").hidden = depth === 0;
    };
    window.addEventListener("dragenter", mark(1));
    window.addEventListener("dragleave", mark(-1));
    window.addEventListener("dragover", (event) => files.carriesFiles(event) && event.preventDefault());
    window.addEventListener("drop", async (event) => {
      mark(0)(event);
      if (files.carriesFiles(event)) this.add(await files.dropped(event.dataTransfer));
    });
  }
}

// The records of one search, newest first. Pages are fetched as they are needed.

import * as api from "./api.js";

/** Only the fields that a card shows: there may be 50,000 records. */
export function slim(record) {
  const { id, path, status, review, language, caption, decorative, error, note, updated } = record;
  const image = { etag: record.image.etag, modified: record.image.modified };
  return { id, path, status, review, language, caption, decorative, error, note, updated, image };
}

export class Listing {
  items = [];
  isComplete = false;
  isLoading = false;
  problem = null;
  #cursor = null;
  #known = new Set();
  #hidden = new Set();
  #stopped = new AbortController();

  /** `changed` is called after every change. */
  constructor(filters, changed, hidden = new Set()) {
    this.filters = filters;
    this.changed = changed;
    this.#hidden = hidden;
  }

  /** Fetches pages until there are `count` items; a short page is not the last one. */
  async fill(count) {
    if (this.isLoading || this.problem) return;
    this.isLoading = true;
    try {
      while (!this.isComplete && this.items.length < count) await this.#page();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.problem = error;
    } finally {
      this.isLoading = false;
      if (!this.#stopped.signal.aborted) this.changed();
    }
  }

  /** Clears the error, so that `fill` tries again. */
  recover() {
    this.problem = null;
  }

  /** Stops all changes; pending responses are ignored. */
  stop() {
    this.#stopped.abort();
  }

  has(id) {
    return this.#known.has(id);
  }

  /** Updates known records; with `front`, puts unknown ones in front, in their order. */
  merge(records, { front }) {
    const fresh = [];
    for (const record of records) {
      if (this.#hidden.has(record.id)) continue;
      if (this.#known.has(record.id)) this.#update(record);
      else fresh.push(slim(record));
    }
    if (!front || this.isLoading) return this.changed();
    for (const record of fresh) this.#known.add(record.id);
    this.items.unshift(...fresh);
    this.changed();
  }

  /** Removes an image; returns its index, or -1. */
  drop(id) {
    const index = this.items.findIndex((known) => known.id === id);
    if (index >= 0) this.items.splice(index, 1);
    this.#known.delete(id);
    this.changed();
    return index;
  }

  /** Puts an image back at its index. */
  restore(record, index) {
    if (this.#known.has(record.id)) return;
    this.#known.add(record.id);
    this.items.splice(Math.max(0, index), 0, slim(record));
    this.changed();
  }

  #update(record) {
    const index = this.items.findIndex((known) => known.id === record.id);
    const known = this.items[index];
    if (known.updated === record.updated && known.image.etag === record.image.etag) return;
    if (known.image.modified < record.image.modified) {
      this.items.splice(index, 1);
      this.items.unshift(slim(record));
    } else this.items[index] = slim(record);
  }

  async #page() {
    const { signal } = this.#stopped;
    const page = await api.search(this.filters, { cursor: this.#cursor, signal });
    signal.throwIfAborted();
    for (const record of page.items) {
      if (this.#known.has(record.id) || this.#hidden.has(record.id)) continue;
      this.#known.add(record.id);
      this.items.push(slim(record));
    }
    this.#cursor = page.next;
    this.isComplete = page.next === null;
    this.changed();
  }
}

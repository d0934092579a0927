// The grid. Of thousands of records, only the cards near the viewport are in the document.

import * as address from "./address.js";
import { card } from "./card.js";
import { byId, element } from "./element.js";
import { isFinal } from "./status.js";

const GAP = 16;
const TEXT_REMS = 7.25;
const OVERSCAN = 600;
const NARROW = 480;
const AHEAD = 30;

export class Grid {
  #list = byId("grid");
  #cards = new Map();
  #listing = null;
  #columns = 1;
  #cell = { width: 0, height: 0 };
  #wanted = false;

  constructor() {
    window.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(this.#list);
    window.addEventListener("resize", () => this.draw());
    this.#list.addEventListener("click", (event) => this.#open(event));
    this.#list.addEventListener("keydown", (event) => this.#move(event));
  }

  /** Shows another listing, from its beginning. */
  show(listing) {
    this.#listing = listing;
    for (const { end } of this.#cards.values()) end();
    this.#cards.clear();
    this.draw();
  }

  /** Draws before the next frame. */
  draw() {
    if (this.#wanted) return;
    this.#wanted = true;
    requestAnimationFrame(() => {
      this.#wanted = false;
      if (this.#listing && this.#list.isConnected) this.#draw();
    });
  }

  /** Whether newer images can be put in front without moving the cards on the screen. */
  isAtTop() {
    return this.#list.getBoundingClientRect().top > -this.#cell.height / 2;
  }

  /** Ids of the drawn cards whose image has no final status yet. */
  unsettled() {
    return [...this.#cards.values()].filter((c) => !isFinal(c.record)).map((c) => c.record.id);
  }

  /** Moves the focus to a card; false where it is not drawn. */
  focus(id) {
    const link = this.#cards.get(id)?.node.firstChild;
    link?.focus();
    return Boolean(link);
  }

  #draw() {
    const { items } = this.#listing;
    this.#measure();
    const rows = Math.ceil(items.length / this.#columns);
    const pitch = this.#cell.height + GAP;
    this.#list.style.height = `${Math.max(0, rows * pitch - GAP)}px`;
    const top = -this.#list.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor((top - OVERSCAN) / pitch)) * this.#columns;
    const last = Math.ceil((top + innerHeight + OVERSCAN) / pitch) * this.#columns;
    this.#place(first, Math.min(last, items.length));
    if (!this.#listing.isComplete && last + AHEAD > items.length) this.#listing.fill(last + AHEAD);
  }

  #measure() {
    const width = this.#list.clientWidth;
    const least = width < NARROW ? 128 : 208;
    this.#columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
    const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    const cell = (width - GAP * (this.#columns - 1)) / this.#columns;
    this.#cell = { width: cell, height: Math.round(cell * 0.75 + TEXT_REMS * rem) };
    this.#list.style.setProperty("--cell-width", `${cell}px`);
    this.#list.style.setProperty("--cell-height", `${this.#cell.height}px`);
  }

  #place(first, last) {
    const { items } = this.#listing;
    const shown = new Set(items.slice(first, last).map((record) => record.id));
    for (const [id, { node }] of this.#cards) {
      const isHeld = this.#listing.has(id) && node.contains(document.activeElement);
      if (!shown.has(id) && !isHeld) this.#remove(id);
    }
    let before = null;
    for (let index = first; index < last; index += 1) {
      const node = this.#card(items[index], index);
      const following = before ? before.nextSibling : this.#list.firstChild;
      if (node !== following) this.#list.insertBefore(node, following);
      before = node;
    }
  }

  #card(record, index) {
    let known = this.#cards.get(record.id);
    if (known && known.record !== record) {
      const focused = known.node.contains(document.activeElement);
      this.#remove(record.id);
      known = this.#make(record);
      if (focused) requestAnimationFrame(() => known.node.firstChild.focus());
    }
    known ??= this.#make(record);
    if (known.index !== index || known.columns !== this.#columns || known.height !== this.#cell.height) {
      this.#position(known, index);
    }
    return known.node;
  }

  #make(record) {
    const made = { ...card(record), record };
    this.#cards.set(record.id, made);
    return made;
  }

  #position(known, index) {
    const x = (index % this.#columns) * (this.#cell.width + GAP);
    const y = Math.floor(index / this.#columns) * (this.#cell.height + GAP);
    known.node.style.transform = `translate(${x}px, ${y}px)`;
    known.node.setAttribute("aria-posinset", index + 1);
    known.node.setAttribute("aria-setsize", this.#listing.isComplete ? this.#listing.items.length : -1);
    Object.assign(known, { index, columns: this.#columns, height: this.#cell.height });
  }

  #remove(id) {
    this.#cards.get(id).end();
    this.#cards.delete(id);
  }

  #open(event) {
    const link = event.target.closest("a[data-id]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    address.go({ image: link.dataset.id });
  }

  /** Arrow keys, Home and End move between cards, as Tab does. */
  #move(event) {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.#columns, ArrowUp: -this.#columns };
    const from = this.#listing.items.findIndex((r) => r.id === event.target.dataset.id);
    if (from < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const last = this.#listing.items.length - 1;
    const ends = { Home: 0, End: last };
    const to = ends[event.key] ?? (event.key in steps ? from + steps[event.key] : null);
    if (to === null || to < 0 || to > last) return;
    event.preventDefault();
    this.#reach(to);
  }

  #reach(index) {
    const y = Math.floor(index / this.#columns) * (this.#cell.height + GAP);
    const top = this.#list.getBoundingClientRect().top + y;
    const margin = byId("top").getBoundingClientRect().bottom + GAP;
    if (top < margin) window.scrollBy(0, top - margin);
    const below = top + this.#cell.height + GAP - innerHeight;
    if (below > 0) window.scrollBy(0, below);
    this.#draw();
    this.#cards.get(this.#listing.items[index].id)?.node.firstChild.focus({ preventScroll: true });
  }
}

/** Placeholders while cards are loading. */
export function skeletons(count) {
  const one = () =>
    element(
      "div",
      { class: "card placeholder" },
      element("div", { class: "frame" }),
      element("p", { class: "skeleton" }),
      element("p", { class: "skeleton short" }),
    );
  return Array.from({ length: count }, one);
}

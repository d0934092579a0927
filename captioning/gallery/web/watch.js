// What changes by itself: newer images, and images whose caption is on its way. One gentle poll.

import * as address from "./address.js";
import * as api from "./api.js";

const SOONEST = 600;
const LATEST = 5_000;
const IDLE = 15_000;
const GROWTH = 1.4;
/** Newest records that are looked at: none of them known means that some were missed. */
export const PAGE = 50;
const SINGLES = 6;

export class Watch {
  #delay = SOONEST;
  #timer = null;
  #wanted;
  #deliver;

  /** `wanted()` gives ids to follow; `deliver(records, isNewest)` gets what was found. */
  constructor(wanted, deliver) {
    this.#wanted = wanted;
    this.#deliver = deliver;
    document.addEventListener("visibilitychange", () => this.soon());
  }

  /** Looks again shortly: something was sent off. */
  soon() {
    this.#delay = SOONEST;
    this.#next();
  }

  #next() {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    const wanted = this.#wanted();
    const busy = wanted.uploads.length + wanted.shown.length > 0;
    this.#timer = setTimeout(() => this.#look(wanted), busy ? this.#delay : IDLE);
    this.#delay = Math.min(LATEST, this.#delay * GROWTH);
  }

  async #look() {
    try {
      const { uploads, shown } = this.#wanted();
      const found = new Set();
      if (uploads.length || !address.isFiltered()) {
        const { items } = await api.search({}, { limit: PAGE });
        for (const record of items) found.add(record.id);
        this.#deliver(items, true);
      }
      const rest = [...new Set([...shown, ...uploads])].filter((id) => !found.has(id));
      for (const id of rest.slice(0, SINGLES)) {
        this.#deliver([(await api.record(id)).record], false);
      }
    } catch {
      // The next look may work; what a person does himself tells him what is wrong.
    }
    this.#next();
  }
}

// Polls for newer images, and for images that are being captioned.

import * as address from "./address.js";
import * as api from "./api.js";

const SOONEST = 600;
const LATEST = 5_000;
const IDLE = 15_000;
const GROWTH = 1.4;
/** Newest records in one poll. Where none of them is known, others have been missed. */
export const PAGE = 50;
const SINGLES = 6;

export class Watch {
  #delay = SOONEST;
  #timer = null;
  #wanted;
  #deliver;

  /** `wanted()` returns ids to poll for; `deliver(records, isNewest)` is called with records. */
  constructor(wanted, deliver) {
    this.#wanted = wanted;
    this.#deliver = deliver;
    document.addEventListener("visibilitychange", () => this.soon());
  }

  /** Polls again shortly, as something is expected to change. */
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
      // The next poll may work. Errors are shown for actions of the user only.
    }
    this.#next();
  }
}

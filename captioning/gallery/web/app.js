// The gallery: connects the address bar, the grid, the image view, uploads and usage.

import * as address from "./address.js";
import * as api from "./api.js";
import * as deletion from "./deletion.js";
import { hasDrafts } from "./editor.js";
import { byId } from "./element.js";
import { Filters } from "./filters.js";
import { Grid, skeletons } from "./grid.js";
import { ImageView } from "./image.js";
import * as key from "./key.js";
import { Listing } from "./listing.js";
import { announce } from "./notices.js";
import { Uploads } from "./uploads.js";
import { UsageView } from "./usage.js";
import { PAGE, Watch } from "./watch.js";

const FEW = 12;

const grid = new Grid();
const filters = new Filters();
const usage = new UsageView();
const uploads = new Uploads(() => watch.soon());
const watch = new Watch(wanted, deliver);
const view = new ImageView({
  changed: (record) => listing.merge([record], { front: false }),
  removed: remove,
  neighbour,
  closed: (id) => grid.focus(listing.has(id) ? id : following) || byId("search").focus(),
});
let listing = null;
/** The image that gets the focus after a deletion. */
let following = null;

function begin() {
  listing?.stop();
  const mine = new Listing({ ...address.now() }, () => mine === listing && changed(), deletion.hidden);
  listing = mine;
  window.scrollTo(0, 0);
  byId("placeholders").replaceChildren(...skeletons(FEW));
  grid.show(listing);
  listing.fill(1);
}

function changed() {
  const { items, isComplete, isLoading, problem } = listing;
  const isEmpty = isComplete && items.length === 0;
  const isFirst = !items.length && !isEmpty && !problem;
  byId("placeholders").hidden = !isFirst;
  byId("empty").hidden = !isEmpty || address.isFiltered();
  byId("no-match").hidden = !isEmpty || !address.isFiltered();
  byId("list-problem").hidden = !problem;
  byId("list-problem-text").textContent = problem?.message ?? "";
  const count = `${items.length}${isComplete ? "" : "+"} ${items.length === 1 ? "image" : "images"}`;
  byId("count").textContent = isFirst || isEmpty ? "" : count;
  if (!isLoading && isComplete && address.isFiltered()) announce(isEmpty ? "No matches." : count);
  view.tellNeighbours();
  grid.draw();
}

function wanted() {
  return { uploads: uploads.waiting(), shown: listing ? grid.unsettled() : [] };
}

function deliver(records, isNewest) {
  const front = isNewest && !address.isFiltered() && grid.isAtTop();
  for (const record of records) uploads.follow(record);
  const isGap = records.length === PAGE && !records.some((record) => listing.has(record.id));
  if (front && isGap && !listing.isLoading) return begin();
  if (!isNewest || !address.isFiltered()) listing.merge(records, { front });
  else listing.merge(records.filter((record) => listing.has(record.id)), { front: false });
}

function remove(record) {
  following = neighbour(record.id, 1) ?? neighbour(record.id, -1);
  const index = listing.drop(record.id);
  const mine = listing;
  deletion.remove(record, () => index >= 0 && mine === listing && listing.restore(record, index));
}

function neighbour(id, step) {
  const index = listing.items.findIndex((record) => record.id === id);
  return index < 0 ? null : (listing.items[index + step]?.id ?? null);
}

/** Shows the state of the address bar. */
function show(state, before) {
  const isUsage = state.view === "usage";
  byId("grid-view").hidden = isUsage;
  byId("usage-view").hidden = !isUsage;
  byId("usage-link").setAttribute("aria-current", isUsage ? "page" : "false");
  if (!before || !address.sameSearch(state, before)) begin();
  if (isUsage && before?.view !== "usage") usage.show();
  if (!isUsage) grid.draw();
  document.title = isUsage ? "Usage – Image gallery" : "Image gallery";
  view.open(state.image);
}

async function tellHealth() {
  const { status, reasons = {} } = await api.health();
  const parts = Object.entries(reasons).map(([part, reason]) => `${part}: ${reason.replaceAll("_", " ")}`);
  byId("health").hidden = status === "ok";
  byId("health").textContent = `The app is ${status}${parts.length ? ` (${parts.join(", ")})` : ""}. New images are waiting.`;
}

byId("list-retry").addEventListener("click", () => {
  key.askAgain();
  listing.recover();
  listing.fill(1);
});
byId("no-match-clear").addEventListener("click", () => filters.clear());
byId("usage-link").addEventListener("click", (event) => {
  event.preventDefault();
  address.go({ view: "usage", image: null });
});
byId("usage-close").addEventListener("click", () => address.go({ view: null }));
byId("home").addEventListener("click", (event) => {
  event.preventDefault();
  address.go({ view: null, image: null, q: "", tags: [], status: "", review: "", since: "", until: "" });
});
window.addEventListener("beforeunload", (event) => {
  if (hasDrafts()) event.preventDefault();
});

address.onChange(show);
show(address.now(), null);
watch.soon();
tellHealth().catch(() => {});

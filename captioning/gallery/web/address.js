// The state of the page, kept in the address bar: the filters, and the open image or view.

const TEXTS = ["q", "status", "review", "since", "until"];
const listeners = [];
let state = read();

export function now() {
  return state;
}

/** Calls `listener(state, before)` at every change; back and forward are changes too. */
export function onChange(listener) {
  listeners.push(listener);
}

/** Changes parts of the state; with `replace` in place, without a new entry in the history. */
export function go(changes, { replace = false } = {}) {
  const wanted = { ...state, ...changes };
  const target = link(wanted);
  if (target === link(state)) return;
  history[replace ? "replaceState" : "pushState"]({ inside: true }, "", target);
  become(wanted);
}

/** Closes the open image or view: by going back where it was opened from the grid, else to the grid. */
export function close() {
  if (history.state?.inside && state.image && cameFromGrid) history.back();
  else go({ image: null, view: null });
}

/** The link to the present state with `changes`. */
export function linkTo(changes) {
  return link({ ...state, ...changes });
}

export function isFiltered(filters = state) {
  return TEXTS.some((name) => filters[name]) || filters.tags.length > 0;
}

/** Whether two states show the same search. */
export function sameSearch(one, other) {
  return search(one).toString() === search(other).toString();
}

let cameFromGrid = false;

function become(wanted) {
  const before = state;
  state = wanted;
  if (state.image && !before.image) cameFromGrid = true;
  if (!state.image) cameFromGrid = false;
  for (const listener of listeners) listener(state, before);
}

function search(wanted) {
  const query = new URLSearchParams();
  for (const name of TEXTS) if (wanted[name]) query.append(name, wanted[name]);
  for (const tag of wanted.tags) query.append("tag", tag);
  return query;
}

function link(wanted) {
  const query = search(wanted);
  for (const name of ["view", "image"]) if (wanted[name]) query.append(name, wanted[name]);
  const text = query.toString();
  return text ? `?${text}` : location.pathname;
}

function read() {
  const query = new URLSearchParams(location.search);
  const found = { tags: query.getAll("tag").filter((tag) => tag.trim()) };
  for (const name of TEXTS) found[name] = query.get(name) ?? "";
  const image = query.get("image") ?? "";
  found.image = /^[0-9a-f]{64}$/.test(image) ? image : null;
  found.view = query.get("view") === "usage" ? "usage" : null;
  return found;
}

window.addEventListener("popstate", () => {
  const wanted = read();
  become(wanted);
});

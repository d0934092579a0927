// Calls of the public API.

import * as key from "./key.js";

const NO_ANSWER = "The app does not answer. Is it running?";

/** An error response: `code` is stable, `message` is for people. */
export class Problem extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

/** The route of an item. Ids also serve for names that a URL cannot carry. */
export function item(kind, id) {
  return `/api/${kind}/sha256:${id}`;
}

/** A response that is not an error; prompts for a key where the app requires one. */
export async function request(target, { accept = [], headers = {}, ...options } = {}) {
  for (;;) {
    const used = key.current();
    const response = await answer(target, { ...options, headers: { ...headers, ...key.headers() } });
    if (response.ok || accept.includes(response.status)) return response;
    if (response.status !== 401) throw problem(response.status, await response.text());
    if (!(await key.ask(used))) throw problem(401, "");
  }
}

async function answer(target, options) {
  try {
    return await fetch(target, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "no_answer", NO_ANSWER);
  }
}

/** The Problem in the body of an error response; those of the host have no body. */
export function problem(status, body) {
  try {
    const { code, detail } = JSON.parse(body);
    if (code && detail) return new Problem(status, code, detail);
  } catch {
    // Not JSON: the host or a proxy answered.
  }
  if (status === 0) return new Problem(0, "no_answer", NO_ANSWER);
  if (status === 401) return new Problem(401, "key", "The app requires a function key.");
  return new Problem(status, "http", `The app answered with status ${status}.`);
}

async function json(target, options) {
  return (await request(target, options)).json();
}

/** A page of a search: `items`, and `next` or null. */
export function search(filters, { cursor = null, limit = 60, signal } = {}) {
  const query = new URLSearchParams();
  for (const name of ["q", "status", "review", "since", "until"]) {
    if (filters[name]) query.append(name, filters[name]);
  }
  for (const tag of filters.tags ?? []) query.append("tag", tag);
  query.append("limit", limit);
  if (cursor) query.append("cursor", cursor);
  return json(`/api/captions?${query}`, { signal });
}

export async function tags(prefix, signal) {
  const query = new URLSearchParams({ prefix, limit: 12 });
  return (await json(`/api/tags?${query}`, { signal })).items;
}

/** The record and its version, or null where `known` is still the version. */
export async function record(id, { known = null, signal } = {}) {
  const headers = known ? { "If-None-Match": known } : {};
  const response = await request(item("captions", id), { headers, signal, accept: [304] });
  return response.status === 304 ? null : versioned(response);
}

/** Saves corrections, on the version `etag`. */
export async function edit(id, etag, edits) {
  const headers = { "Content-Type": "application/json", "If-Match": etag };
  const body = JSON.stringify(edits);
  return versioned(await request(item("captions", id), { method: "PATCH", headers, body }));
}

/** Restores the previous texts of the version `etag`. */
export async function revert(id, etag) {
  const headers = { "If-Match": etag };
  return versioned(await request(item("revert", id), { method: "POST", headers }));
}

async function versioned(response) {
  return { record: await response.json(), etag: response.headers.get("ETag") };
}

/** Deletes the version `etag` of an image, even while the page is being closed. */
export function remove(id, etag) {
  const headers = etag ? { "If-Match": etag } : {};
  return request(item("images", id), { method: "DELETE", headers, keepalive: true, accept: [404] });
}

export function recaption(id) {
  return json(item("recaption", id), { method: "POST" });
}

export function usage(days, signal) {
  return json(`/api/usage?days=${days}`, { signal });
}

export async function health() {
  return (await request("/api/health", { accept: [503] })).json();
}

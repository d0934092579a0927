// Loads pictures. Where a key is in use, it is sent in a header, as it must not be in a URL.

import * as api from "./api.js";
import * as key from "./key.js";

const UNREADABLE = new Set(["unsupported_format", "corrupt", "too_large"]);

/** Whether the app can show this image. */
export function isReadable(record) {
  return !(record.status === "rejected" && UNREADABLE.has(record.error?.code));
}

/** The address of a picture `width` pixels wide; null: the original. */
export function addressOf(record, width) {
  const query = new URLSearchParams();
  if (width) query.append("width", width);
  query.append("version", record.image.etag.replaceAll('"', ""));
  return `${api.item("images", record.id)}?${query}`;
}

/** Loads the picture; the class becomes `loaded` or `broken`. Returns a function that stops it. */
export function show(img, record, width) {
  const address = addressOf(record, width);
  img.onload = () => img.classList.add("loaded");
  img.onerror = () => img.classList.add("broken");
  if (!key.current()) {
    img.src = address;
    return () => img.removeAttribute("src");
  }
  const controller = new AbortController();
  load(img, address, controller.signal);
  return () => controller.abort();
}

async function load(img, address, signal) {
  try {
    const response = await api.request(address, { signal });
    const made = URL.createObjectURL(await response.blob());
    img.addEventListener("load", () => URL.revokeObjectURL(made), { once: true });
    img.addEventListener("error", () => URL.revokeObjectURL(made), { once: true });
    img.src = made;
  } catch (error) {
    if (error.name !== "AbortError") img.classList.add("broken");
  }
}

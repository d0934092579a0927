// Pictures of images. Where a key is in use they are fetched with it, as it may stand in no URL.

import * as api from "./api.js";
import * as key from "./key.js";

const UNREADABLE = new Set(["unsupported_format", "corrupt", "too_large"]);

/** Whether the app can show anything of this image. */
export function isReadable(record) {
  return !(record.status === "rejected" && UNREADABLE.has(record.error?.code));
}

/** The address of a picture `width` pixels wide (null: as it was uploaded). */
export function addressOf(record, width) {
  const query = new URLSearchParams();
  if (width) query.append("width", width);
  query.append("version", record.image.etag.replaceAll('"', ""));
  return `${api.item("images", record.id)}?${query}`;
}

/** Shows the picture in `img`; its class says `loaded` or `broken`. Returns what ends that. */
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

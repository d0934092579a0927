// Deletes with undo: the request is sent some seconds later, or when the page is left.

import * as api from "./api.js";
import { notify } from "./notices.js";

const SECONDS = 7;
const SETTLED = 10_000;
const waiting = new Map();
/** Ids of deleted images, which are not shown. */
export const hidden = new Set();

/** `restore()` puts the image back, where the deletion is undone or fails. */
export function remove(record, restore) {
  hidden.add(record.id);
  const back = () => {
    waiting.delete(record.id);
    hidden.delete(record.id);
    restore();
  };
  const send = async () => {
    if (!waiting.delete(record.id)) return;
    try {
      // The ETag in a record that cannot be read may be missing, or that of an earlier upload.
      await api.remove(record.id, record.status === "unreadable" ? null : record.image.etag);
      setTimeout(() => hidden.delete(record.id), SETTLED);
    } catch (error) {
      back();
      notify(`${record.path} was not deleted: ${error.message}`);
    }
  };
  waiting.set(record.id, send);
  notify(`Deleted ${record.path}.`, { label: "Undo", action: back, ended: send, seconds: SECONDS });
}

window.addEventListener("pagehide", () => {
  for (const send of waiting.values()) send();
});

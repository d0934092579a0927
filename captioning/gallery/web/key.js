// The function key: requested once, kept for this tab only, sent in a header and never in a URL.

import { byId } from "./element.js";

const NAME = "function-key";
let asking = null;
let declined = false;

/** The key; "" while none is in use. */
export function current() {
  return sessionStorage.getItem(NAME) ?? "";
}

export function headers() {
  return current() ? { "x-functions-key": current() } : {};
}

/** Requests a key after `refused` was rejected; true where there is another one now. */
export function ask(refused) {
  if (current() !== refused) return Promise.resolve(true);
  if (declined) return Promise.resolve(false);
  asking ??= prompt(refused).finally(() => (asking = null));
  return asking;
}

/** Lets the next 401 request a key again. */
export function askAgain() {
  declined = false;
}

function prompt(refused) {
  const dialog = byId("key");
  const input = byId("key-input");
  byId("key-refused").hidden = !refused;
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    byId("key-form").onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem(NAME, input.value.trim());
      dialog.close("given");
    };
    dialog.onclose = () => {
      input.value = "";
      declined = dialog.returnValue !== "given";
      resolve(!declined);
    };
  });
}

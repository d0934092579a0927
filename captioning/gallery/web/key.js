// The function key: asked for once, kept for this tab only, sent as a header and never in a URL.

import { byId } from "./element.js";

const NAME = "function-key";
let asking = null;
let declined = false;

/** The key, or "" while none was needed. */
export function current() {
  return sessionStorage.getItem(NAME) ?? "";
}

export function headers() {
  return current() ? { "x-functions-key": current() } : {};
}

/** Asks for a key after `refused` was refused; whether there is another one now. */
export function ask(refused) {
  if (current() !== refused) return Promise.resolve(true);
  if (declined) return Promise.resolve(false);
  asking ??= prompt(refused).finally(() => (asking = null));
  return asking;
}

/** Lets the next 401 ask again. */
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

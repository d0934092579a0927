// Messages of the page: a line for screen readers, and notices with an action.

import { byId, element } from "./element.js";

/** Nothing outside of an open dialog can be used or heard, so notices move into it. */
function placed(id) {
  const node = byId(id);
  const host = document.querySelector("dialog:modal") ?? document.body;
  if (node.parentNode !== host) host.append(node);
  return node;
}

document.addEventListener("close", () => ["notices", "announcer"].forEach(placed), { capture: true });

/** Has a screen reader say something, once it has finished speaking. */
export function announce(text) {
  placed("announcer").textContent = text;
}

/**
 * Shows a notice for some seconds. `action` is called when its button is pressed, `ended` when it
 * closes without that. A notice stays while the pointer or the focus is on it.
 */
export function notify(text, { label = null, action = null, ended = null, seconds = 7 } = {}) {
  let open = true;
  const close = (then) => {
    if (!open) return;
    open = false;
    clearTimeout(timer);
    notice.remove();
    then?.();
  };
  const notice = element(
    "div",
    { class: "notice", role: label ? "group" : null, "aria-label": label ? text : null },
    element("p", { dir: "auto" }, text),
    label && element("button", { type: "button", onclick: () => close(action) }, label),
    element(
      "button",
      { type: "button", class: "quiet", "aria-label": "Dismiss", onclick: () => close(ended) },
      "×",
    ),
  );
  const again = () => (timer = setTimeout(expire, seconds * 1000));
  const expire = () => (notice.matches(":hover, :focus-within") ? again() : close(ended));
  let timer;
  again();
  placed("notices").append(notice);
  announce(label ? `${text} ${label}?` : text);
  return () => close(ended);
}

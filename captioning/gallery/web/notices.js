// What the page says by itself: a line for screen readers, and notices with an action.

import { byId, element } from "./element.js";

/** What is outside of an open dialog cannot be used or heard: notices move into it and out again. */
function placed(id) {
  const node = byId(id);
  const host = document.querySelector("dialog:modal") ?? document.body;
  if (node.parentNode !== host) host.append(node);
  return node;
}

document.addEventListener("close", () => ["notices", "announcer"].forEach(placed), { capture: true });

/** Says something to a screen reader, when it has a moment. */
export function announce(text) {
  placed("announcer").textContent = text;
}

/**
 * Shows a notice for some seconds. `action` is called when its button is used; `ended` once it is
 * over without that. A notice that has the pointer or the focus stays.
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

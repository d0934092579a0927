// Uploads one file and reports its progress.

import * as api from "./api.js";
import * as key from "./key.js";

const CANNOT_TRAVEL = /%2f/i;

/** The route of a new image. Names with a literal `%2F` are refused: it would arrive as a slash. */
function routeOf(path) {
  if (CANNOT_TRAVEL.test(path)) {
    throw new api.Problem(400, "bad_name", "A name with %2F cannot be uploaded here. Rename the file.");
  }
  return `/api/images/${path.split("/").map(encodeURIComponent).join("/")}`;
}

/**
 * Stores a file; resolves to the JSON of the API. `progress` is called with 0 to 1. An existing image
 * is replaced only with `replace`; otherwise Problem 412 `exists` is thrown.
 */
export async function upload(file, path, { replace = false, progress }) {
  const route = routeOf(path);
  for (;;) {
    const used = key.current();
    const { status, body } = await send(route, file, { replace, progress });
    if (status >= 200 && status < 300) return JSON.parse(body);
    if (status !== 401 || !(await key.ask(used))) throw api.problem(status, body);
  }
}

function send(route, file, { replace, progress }) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("PUT", route);
    for (const [name, value] of Object.entries(key.headers())) request.setRequestHeader(name, value);
    if (!replace) request.setRequestHeader("If-None-Match", "*");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => progress(event.total ? event.loaded / event.total : 0);
    request.onloadend = () => resolve({ status: request.status, body: request.responseText });
    request.send(file);
  });
}

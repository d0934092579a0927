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
 * Stores a file; resolves to the JSON of the API. `progress` is called with 0 to 1. `replaces` is the
 * ETag of the only version that it may replace; none is for a new image. Problem 412 (`exists`,
 * `changed`) is thrown where something else is there, with its ETag in `etag`.
 */
export async function upload(file, path, { replaces = null, progress }) {
  const route = routeOf(path);
  for (;;) {
    const used = key.current();
    const { status, body, etag } = await send(route, file, { replaces, progress });
    if (status >= 200 && status < 300) return JSON.parse(body);
    if (status !== 401 || !(await key.ask(used))) {
      throw Object.assign(api.problem(status, body), { etag });
    }
  }
}

function send(route, file, { replaces, progress }) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("PUT", route);
    for (const [name, value] of Object.entries(key.headers())) request.setRequestHeader(name, value);
    if (replaces) request.setRequestHeader("If-Match", replaces);
    else request.setRequestHeader("If-None-Match", "*");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => progress(event.total ? event.loaded / event.total : 0);
    request.onloadend = () => {
      const etag = request.getResponseHeader("ETag");
      resolve({ status: request.status, body: request.responseText, etag });
    };
    request.send(file);
  });
}

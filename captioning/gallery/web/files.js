// Files from a drop or a picker, each with its path in the folder that was chosen.

const HIDDEN = /(^|\/)(\.|Thumbs\.db$|desktop\.ini$)/;

/** The files of a picker, as `{file, path}`. */
export function picked(input) {
  const files = [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
  input.value = "";
  return files.filter(isWanted);
}

/** The files of a drop and of its folders. Entries must be read before the first `await`. */
export async function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? null);
  const plain = [...transfer.files].map((file) => ({ file, path: file.name }));
  if (!entries.some((entry) => entry?.isDirectory)) return plain.filter(isWanted);
  const found = [];
  for (const entry of entries) if (entry) await walk(entry, found);
  return found.filter(isWanted);
}

/** Whether files are being dragged. */
export function carriesFiles(event) {
  return [...(event.dataTransfer?.types ?? [])].includes("Files");
}

async function walk(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, path: entry.fullPath.replace(/^\//, "") });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const child of some) await walk(child, found);
  }
}

function isWanted({ path }) {
  return !HIDDEN.test(path);
}

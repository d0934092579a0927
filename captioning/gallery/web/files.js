// Files out of a drop or a picker, with the path that each keeps below the folder it came in.

const HIDDEN = /(^|\/)(\.|Thumbs\.db$|desktop\.ini$)/;

/** Of a picker: `{file, path}`. */
export function picked(input) {
  const files = [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
  input.value = "";
  return files.filter(isWanted);
}

/** Of a drop; folders are walked. The entries have to be asked for before anything is awaited. */
export async function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? null);
  const plain = [...transfer.files].map((file) => ({ file, path: file.name }));
  if (!entries.some((entry) => entry?.isDirectory)) return plain.filter(isWanted);
  const found = [];
  for (const entry of entries) if (entry) await walk(entry, found);
  return found.filter(isWanted);
}

/** Whether a drag carries files. */
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

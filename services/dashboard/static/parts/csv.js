// Rows as a file of comma-separated values.

/** A field. Every text is quoted, so that no spreadsheet splits it at another sign, and none is a formula to it. */
function field(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r\n]/.test(value) ? `'${value}` : String(value);
  return `"${text.replaceAll('"', '""')}"`;
}

/** Hand the browser a file: names of the columns, then the rows (arrays). */
export function downloadRows(name, columns, rows) {
  const lines = [columns, ...rows].map((row) => row.map(field).join(",")).join("\r\n");
  const address = URL.createObjectURL(new Blob([`${lines}\r\n`], { type: "text/csv;charset=utf-8" }));
  download(address, name);
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Let the browser save what is at an address under a name. */
export function download(address, name) {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
}

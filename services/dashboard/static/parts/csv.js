// Rows as a file of comma-separated values.

/** A field: quoted where it must be, and never a formula to a spreadsheet. */
function field(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Hand the browser a file: names of the columns, then the rows (arrays). */
export function download(name, columns, rows) {
  const lines = [columns, ...rows].map((row) => row.map(field).join(",")).join("\r\n");
  const address = URL.createObjectURL(new Blob([`${lines}\r\n`], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

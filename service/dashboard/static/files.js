// What is seen, as files.

/** Save rows as CSV. A cell that a spreadsheet would take for a formula is made text. */
export function save(name, head, rows) {
  const lines = [head, ...rows].map((row) => row.map(cell).join(","));
  offer(name, new Blob([lines.join("\r\n") + "\r\n"], { type: "text/csv;charset=utf-8" }));
}

/** Save a canvas as PNG, on the colour that is behind it. */
export function savePicture(name, drawn) {
  if (!drawn) return;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [drawn.width, drawn.height];
  const pen = canvas.getContext("2d");
  pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--panel").trim();
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(drawn, 0, 0);
  canvas.toBlob((picture) => offer(name, picture), "image/png");
}

export function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const harmless = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

/** Give a file to whoever looks. */
export function offer(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = `headrace-${name}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

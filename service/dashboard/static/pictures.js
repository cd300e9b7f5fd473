// What stands in the page as elements, drawn for whoever wants it as a file.

import { element, figure, percent } from "./words.js";

const LINE = 30;

/** Bars: [{name, count}]. */
export function picture(entries) {
  const { canvas, pen, colour } = sheet(900, LINE * Math.max(1, entries.length) + 20);
  const most = Math.max(1, ...entries.map((entry) => entry.count));
  entries.forEach(({ name, count }, at) => {
    const top = 10 + LINE * at;
    pen.fillStyle = colour("--fill");
    pen.fillRect(10, top, (880 * count) / most, LINE - 4);
    pen.fillStyle = colour("--ink");
    write(pen, "left", name, 18, top + 18, 700);
    write(pen, "right", figure(count), 882, top + 18);
  });
  return canvas;
}

/** A field of shares: its head, and lines of a name, a figure and shares, null where there is none. */
export function fieldPicture(head, lines) {
  const [first, wide] = [150, 96];
  const { canvas, pen, colour } = sheet(first + wide * (head.length - 1) + 20, LINE * (lines.length + 1) + 20);
  const left = (at) => (at ? first + wide * (at - 1) : 10);
  pen.fillStyle = colour("--dim");
  head.forEach((name, at) => write(pen, at ? "center" : "left", name, at ? left(at) + wide / 2 : 10, 28, wide));
  lines.forEach(([name, users, ...shares], line) => {
    const top = 10 + LINE * (line + 1);
    shares.forEach((share, at) => shade(pen, colour, share, left(at + 2), top, wide));
    pen.fillStyle = colour("--ink");
    write(pen, "left", name, 10, top + 19, first - 16);
    [users, ...shares.map(percent)].forEach((words, at) => write(pen, "center", words, left(at + 1) + wide / 2, top + 19));
  });
  return canvas;
}

function shade(pen, colour, share, x, y, wide) {
  pen.globalAlpha = 0.45 * (share ?? 0);
  pen.fillStyle = colour("--accent");
  pen.fillRect(x + 1, y + 1, wide - 2, LINE - 2);
  pen.globalAlpha = 1;
}

function write(pen, align, words, x, y, most) {
  pen.textAlign = align;
  pen.fillText(words, x, y, most);
}

function sheet(width, height) {
  const canvas = element("canvas");
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext("2d");
  pen.fillStyle = colour("--panel");
  pen.fillRect(0, 0, width, height);
  pen.font = "15px system-ui, sans-serif";
  return { canvas, pen, colour };
}

"use strict";
// Fills each .grid from the JSON beside it: sort, filter, choose columns, page, download. Strings reach the page through
// textContent alone. A grid works on an array of row numbers, so that 20,000 rows cost one pass a keystroke.

const HIDDEN = /[\p{C}]/gu;
const visible = (text) => text.replace(HIDDEN, (c) => {
  const code = c.codePointAt(0), hex = code.toString(16);
  return code < 0x100 ? "\\x" + hex.padStart(2, "0") : code < 0x10000 ? "\\u" + hex.padStart(4, "0") : "\\U" + hex.padStart(8, "0");
});
const thousands = new Intl.NumberFormat("en");
const collator = new Intl.Collator("en", { numeric: true });

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

// A column as accessors: value(row), shown(row), compare(a, b) with empty values last either way.
function column(data) {
  const coded = data.dict !== undefined;
  const constant = coded && !Array.isArray(data.codes);
  const code = constant ? () => data.codes : (row) => data.codes[row];
  const value = coded ? (row) => { const c = code(row); return c < 0 ? null : data.dict[c]; } : (row) => data.values[row];
  const text = data.kind === "text";
  const format = (v) => v === null ? "" : text ? visible(v)
    : data.kind === "count" ? thousands.format(v)
    : Math.abs(v) >= 100 ? thousands.format(Math.round(v * 10) / 10)
    : v.toFixed(4).replace("-", "\u2212");
  let cache = null;
  const shown = coded
    ? (row) => { const c = code(row); cache ??= data.dict.map(format); return c < 0 ? "" : cache[c]; }
    : (row) => format(value(row));
  let ranks = null;
  const rank = (row) => {
    if (!text) return value(row);
    if (!coded) return shown(row) === "" ? null : shown(row);
    if (ranks === null) {
      const order = data.dict.map((_, i) => i).sort((a, b) => collator.compare(data.dict[a], data.dict[b]));
      ranks = new Array(order.length);
      order.forEach((at, i) => { ranks[at] = i; });
    }
    const c = code(row);
    return c < 0 ? null : ranks[c];
  };
  const order = text && !coded ? collator.compare : (a, b) => a - b;
  return { ...data, text, value, shown, rank, order };
}

// ">1.2", "<= 3", "1..2", "=5" on numbers; otherwise the shown text contains what was typed; a leading "!" turns it round.
function predicate(col, typed) {
  let wanted = typed.trim();
  if (wanted === "") return null;
  const negated = wanted.startsWith("!");
  if (negated) wanted = wanted.slice(1).trim();
  if (wanted === "") return null;
  const test = (!col.text && numeric(col, wanted)) || containing(col, wanted);
  return negated ? (row) => !test(row) : test;
}

function numeric(col, wanted) {
  const number = "([-+]?(?:\\d+(?:\\.\\d+)?|\\.\\d+)(?:e[-+]?\\d+)?)";
  const bare = wanted.replace(/,/g, "").replace(/\u2212/g, "-");
  const between = bare.match(new RegExp(`^${number}\\s*\\.\\.\\s*${number}$`, "i"));
  if (between) {
    const [low, high] = [Number(between[1]), Number(between[2])];
    return (row) => { const v = col.value(row); return v !== null && v >= low && v <= high; };
  }
  const bound = bare.match(new RegExp(`^(<=|>=|<|>|=)\\s*${number}$`, "i"));
  if (!bound) return null;
  const limit = Number(bound[2]);
  const test = { "<": (v) => v < limit, "<=": (v) => v <= limit, ">": (v) => v > limit, ">=": (v) => v >= limit, "=": (v) => v === limit }[bound[1]];
  return (row) => { const v = col.value(row); return v !== null && test(v); };
}

function containing(col, wanted) {
  if (col.text && wanted.startsWith("=")) {
    const exact = wanted.slice(1).trim();
    return (row) => col.shown(row) === exact;
  }
  const part = wanted.toLowerCase();
  return (row) => col.shown(row).toLowerCase().includes(part);
}

const quoted = (text) => /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;

class Grid {
  constructor(host, data) {
    this.columns = data.columns.map(column);
    this.total = data.rows;
    this.rows = Array.from({ length: data.rows }, (_, i) => i);
    this.sorted = null;
    this.page = 0;
    this.size = 50;
    this.filters = new Map();
    this.file = host.dataset.file;
    this.count = element("output", { "aria-live": "polite" });
    this.body = element("tbody");
    this.head = element("thead");
    this.table = element("table", {}, this.head, this.body);
    this.pages = element("span");
    this.previous = element("button", { type: "button", onclick: () => this.turn(-1) }, "Previous");
    this.next = element("button", { type: "button", onclick: () => this.turn(1) }, "Next");
    this.scroll = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Rows" }, this.table);
    host.append(this.toolbar(), this.scroll, this.pager());
    this.drawHead();
    this.refresh();
  }

  toolbar() {
    const boxes = element("div");
    for (const col of this.columns) {
      const box = element("input", { type: "checkbox", onchange: (event) => { col.chosen = event.target.checked; this.drawHead(); this.refresh(); } });
      box.checked = col.chosen;
      boxes.append(element("label", { title: describe(col) }, box, visible(col.name)));
    }
    return element("div", { class: "bar" }, this.count,
      element("button", { type: "button", class: "download", onclick: () => this.download() }, "Download these rows as CSV"),
      element("button", { type: "button", class: "clear", onclick: () => this.clear() }, "Clear filters"),
      element("details", { class: "chooser" }, element("summary", {}, "Columns"), boxes));
  }

  pager() {
    const size = element("select", { "aria-label": "Rows a page", onchange: (event) => { this.size = Number(event.target.value); this.page = 0; this.draw(); } });
    for (const n of [50, 100, 250, 1000]) size.append(element("option", { value: n }, `${n} rows a page`));
    return element("div", { class: "bar" }, this.previous, this.pages, this.next, size);
  }

  drawHead() {
    this.shown = this.columns.filter((col) => col.chosen);
    const names = element("tr"), filters = element("tr", { class: "filters" });
    for (const col of this.shown) {
      const button = element("button", { type: "button", title: describe(col), onclick: () => this.sort(col) }, visible(col.name));
      names.append(element("th", { scope: "col", "aria-sort": this.direction(col), "data-column": col.name, class: col.text ? "" : "num" }, button));
      const input = element("input", {
        type: "search", "aria-label": `Filter ${visible(col.name)}`, placeholder: col.text ? "contains" : "> 1.1 or 1..2",
        title: col.text ? "part of the text; =text for all of it; !text for rows without it" : "> 1.1, <= 2, 1..2, = 5, or digits; ! turns it round",
        oninput: (event) => { this.filters.set(col, event.target.value); this.page = 0; this.refresh(); },
      });
      input.value = this.filters.get(col) ?? "";
      filters.append(element("td", {}, input));
    }
    this.head.replaceChildren(names, filters);
  }

  direction(col) {
    return this.sorted?.col !== col ? "none" : this.sorted.down ? "descending" : "ascending";
  }

  sort(col) {
    this.sorted = { col, down: this.sorted?.col === col ? !this.sorted.down : false };
    for (const [at, th] of [...this.head.rows[0].cells].entries()) th.setAttribute("aria-sort", this.direction(this.shown[at]));
    this.page = 0;
    this.refresh();
  }

  clear() {
    this.filters.clear();
    for (const input of this.head.querySelectorAll("input")) input.value = "";
    this.page = 0;
    this.refresh();
  }

  refresh() {
    const tests = [...this.filters].map(([col, typed]) => predicate(col, typed)).filter(Boolean);
    const rows = [];
    for (let row = 0; row < this.total; row++) if (tests.every((test) => test(row))) rows.push(row);
    if (this.sorted) {
      const { col, down } = this.sorted;
      rows.sort((a, b) => {
        const [x, y] = [col.rank(a), col.rank(b)];
        if (x === null || y === null) return (x === null) - (y === null) || a - b;
        return (down ? col.order(y, x) : col.order(x, y)) || a - b;
      });
    }
    this.rows = rows;
    this.draw();
  }

  turn(by) {
    this.page += by;
    this.draw();
    this.scroll.scrollTop = 0;
  }

  draw() {
    const last = Math.max(0, Math.ceil(this.rows.length / this.size) - 1);
    this.page = Math.min(Math.max(0, this.page), last);
    const from = this.page * this.size;
    this.body.replaceChildren(...this.rows.slice(from, from + this.size).map((row) => element("tr", {},
      ...this.shown.map((col) => {
        const text = col.shown(row);
        return element("td", { class: !col.text ? "num" : text.length > 44 ? "long" : "" }, text);
      }))));
    this.count.value = this.rows.length === this.total ? `${thousands.format(this.total)} rows`
      : `${thousands.format(this.rows.length)} of ${thousands.format(this.total)} rows`;
    this.pages.textContent = `Page ${thousands.format(this.page + 1)} of ${thousands.format(last + 1)}`;
    this.previous.disabled = this.page === 0;
    this.next.disabled = this.page === last;
  }

  // All columns, numbers as they were written.
  csv() {
    const cell = (v) => v === null ? "" : quoted(String(v));
    const lines = [this.columns.map((col) => quoted(col.name)).join(",")];
    for (const row of this.rows) lines.push(this.columns.map((col) => cell(col.value(row))).join(","));
    return lines.join("\n") + "\n";
  }

  download() {
    const url = URL.createObjectURL(new Blob([this.csv()], { type: "text/csv;charset=utf-8" }));
    element("a", { href: url, download: this.file }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }
}

const describe = (col) => visible(col.unit ? `${col.meaning} (${col.unit})` : col.meaning);

for (const host of document.querySelectorAll(".grid")) {
  new Grid(host, JSON.parse(document.getElementById(host.dataset.source).textContent));
}

// Text into elements. Every text from an event goes in as text, never as markup.

export const $ = (id) => document.getElementById(id);
const shown = new Map();

export function text(id, value) {
  const element = $(id);
  if (element.textContent !== value) element.textContent = value;
}

// An element with a class and children; a string child is text.
export function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

// Replaces children only when what they show has changed, so that a selection or a hover survives the next picture.
export function list(id, value, build) {
  const key = JSON.stringify(value);
  if (shown.get(id) === key) return;
  shown.set(id, key);
  $(id).replaceChildren(...build());
}

// Shows either an element or the words for its emptiness.
export function fill(id, hint) {
  const [element, empty] = [$(id), $(`empty-${id.replace("chart-", "")}`)];
  const container = element.closest(".scroll") ?? element;
  container.hidden = Boolean(hint);
  empty.hidden = !hint;
  list(empty.id, hint, () => typed(hint));
}

// Words in which what stands between backticks is to be typed.
export const typed = (words) => words.split("`").map((part, at) => (at % 2 ? make("code", "", part) : part));

// A row of a table; a cell is a text, or [text, class], or [element, class].
export const row = (...cells) => make("tr", "", ...cells.map((cell) => (Array.isArray(cell) ? make("td", cell[1], cell[0]) : make("td", "", cell))));

// A description list: [term, text or element] pairs.
export const terms = (id, pairs) => list(id, pairs.map(([term, value]) => [term, value?.textContent ?? value]), () => pairs.flatMap(([term, value]) => [make("dt", "", term), make("dd", "", value)]));

// `rows` are [name, count]; `hint` are the words for an empty ranking.
export function ranks(id, rows, hint, { count = String, name = String } = {}) {
  fill(id, rows.length ? "" : hint);
  const most = rows.length ? rows[0][1] : 1;
  list(id, rows, () => rows.map(([key, value]) => {
    const weight = make("div", "weight");
    weight.style.width = `${(100 * value) / most}%`;
    const label = make("span", "name", name(key));
    label.title = name(key);
    return make("li", "", make("div", "cell", weight, label), make("span", "count", count(value)));
  }));
}

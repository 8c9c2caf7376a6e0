// What is text on the page: figures, funnel, ranks, pipeline. Every text from an event goes in as text, never as markup.

import * as format from "./format.js";

const $ = (id) => document.getElementById(id);
const shown = new Map();

export function text(id, value) {
  const element = $(id);
  if (element.textContent !== value) element.textContent = value;
}

// An element with a class and children; a string child is text.
function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

// Replaces a list only when it changed, so that a selection or a hover survives the next picture.
function list(id, key, build) {
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
  // what stands between backticks is to be typed
  list(empty.id, hint, () => hint.split("`").map((part, at) => (at % 2 ? make("code", "", part) : part)));
}

const NOTHING = { events: 0, orders: 0, revenue: {}, uniques: { value: 0, low: 0, high: 0 } };

export function figures(picture, period) {
  // a window without events is not in the store; once a worker reports, that is a zero and not an unknown
  const window = picture.current[period] ?? (picture.updated_at === null ? null : NOTHING);
  const before = picture.previous[period];
  const newest = picture.rate.at(-1);
  text("rate", newest ? format.rate(newest[1]) : "–");
  text("rate-note", newest ? "being processed now" : "");
  text("events", window ? format.compact(window.events) : "–");
  text("events-note", before ? `${format.compact(before.events)} the ${period} before` : "");
  const { value, low, high } = window?.uniques ?? {};
  const estimated = high - low >= 1;
  text("uniques", window ? `${estimated ? "≈ " : ""}${format.compact(Math.round(value))}` : "–");
  text("uniques-note", !window ? "" : estimated ? `${format.compact(Math.round(low))} to ${format.compact(Math.round(high))}, at 95 %` : value ? "exact" : "");
  const earned = window ? ranked(window.revenue) : [];
  text("revenue", earned.length ? format.money(earned[0][1], earned[0][0]) : "–");
  list("revenue-more", JSON.stringify(earned.slice(1)), () => earned.slice(1).map(([code, minor]) => make("li", "", format.money(minor, code))));
  text("revenue-note", !window ? "" : window.orders ? `${format.number(window.orders)} ${window.orders === 1 ? "purchase" : "purchases"}` : "no purchases yet");
}

export const ranked = (revenue) => Object.entries(revenue).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));

export function funnel(window) {
  const steps = window ? [["Viewed a product", window.funnel.view], ["Added to cart", window.funnel.cart], ["Purchased", window.funnel.purchase]] : [];
  const entered = steps.length ? steps[0][1] : 0;
  fill("funnel", entered > 0 ? "" : "No session has viewed a product in this period yet.");
  list("funnel", JSON.stringify(steps), () => steps.map(([name, count]) => {
    const bar = make("div", "fill");
    bar.style.width = `${entered > 0 ? (100 * count) / entered : 0}%`;
    return make("li", "",
      make("div", "row", make("span", "", name), make("span", "count", format.number(count)), make("span", "share", format.percent(count, entered))),
      make("div", "track", bar));
  }));
}

// `hint` are the words for an empty ranking.
export function ranks(id, window, hint) {
  const rows = window?.[id] ?? [];
  const bound = window?.bounds[id];
  fill(id, rows.length ? "" : hint);
  text(`${id}-note`, bound ? `counts may be up to ${format.number(bound)} higher` : "");
  const most = rows.length ? rows[0][1] : 1;
  list(id, JSON.stringify(rows), () => rows.map(([name, count]) => {
    const weight = make("div", "weight");
    weight.style.width = `${(100 * count) / most}%`;
    const label = make("span", "name", name);
    label.title = name;
    return make("li", "", make("div", "cell", weight, label), make("span", "count", format.number(count)));
  }));
}

const SLOW_MS = 30_000;
const SILENT_MS = 15_000; // workers say about every second how far they are

// In words, because a colour alone says nothing to many.
function shardState(row) {
  if (row.ended) return ["Ended", "soft"];
  if (row.age_ms > SILENT_MS) return ["Silent", "attention"];
  if (row.lag_ms === null) return ["Starting", "soft"];
  if (row.lag_ms > SLOW_MS) return ["Behind", "attention"];
  return ["Current", ""];
}

export function pipeline(rows, now) {
  fill("pipeline", rows.length ? "" : "No worker has committed anything yet. `clickstream worker analytics` starts one; `clickstream up` starts everything.");
  let application = null;
  list("pipeline", JSON.stringify([rows, Math.floor(now / 1000)]), () => rows.map((row) => {
    const again = row.application === application;
    application = row.application;
    const [state, look] = shardState(row);
    return make("tr", "",
      make("td", again ? "soft" : "", row.application), make("td", "id", row.shard.replace(/^shardId-0*(?=\d)/, "shard ")), make("td", look, state),
      make("td", "n", row.ended || row.lag_ms === null ? "–" : format.duration(row.lag_ms)),
      make("td", "n", row.watermark ? format.moment(row.watermark, now) : "–"),
      make("td", "n", format.age(row.age_ms)), make("td", "n", format.number(row.events)), make("td", "n", format.number(row.duplicates)),
      make("td", row.dead_letters ? "n attention" : "n", format.number(row.dead_letters)), make("td", "id", row.owner || "–"));
  }));
}

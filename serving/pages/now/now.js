// The page Now: one range of time, summed up and in bars.

import { chart, split } from "../charts.js";
import { $, fill, list, make, ranks, text } from "../dom.js";
import * as format from "../format.js";
import { start } from "../frame.js";
import { throughput } from "../throughput.js";

const RANGES = {
  "15m": { words: "15 minutes", bar: "minute", query: "15m ago" },
  "1h": { words: "hour", bar: "minute", query: "60m ago" },
  "24h": { words: "24 hours", bar: "hour", query: "24h ago" },
  "7d": { words: "7 days", bar: "hour", query: "7d ago" },
  "30d": { words: "30 days", bar: "day", query: "30d ago" },
};
const EMPTY = {
  products: "No product has been viewed in this range.",
  bought: "Nothing has been bought in this range.",
  categories: "No view in this range named a category.",
  searches: "Nobody has searched in this range.",
  countries: "No event in this range named a country.",
  devices: "No event in this range named a kind of device.",
};
const DEVICES = { phone: "Phones", tablet: "Tablets", desktop: "Desktops", bot: "Bots", other: "Others" };
const NAMES = { countries: (code) => `${format.country(code)}`, devices: (kind) => DEVICES[kind] ?? kind };

const range = () => document.querySelector("input[name=range]:checked").value;
const asked = new URLSearchParams(location.search).get("range");
if (Object.hasOwn(RANGES, asked)) document.querySelector(`input[name=range][value="${asked}"]`).checked = true;
else if (asked !== null) {
  $("unknown-range").hidden = false;
  text("unknown-range", `There is no range ${asked}; this is 1h. Known are ${Object.keys(RANGES).join(", ")}.`);
}

const drawRate = throughput();
const bars = (ink) => [{ paint: "bars", ink }, { paint: "bars", ink, pale: true }];
const events = chart($("chart-events"), { series: bars("accent"), value: (full, open) => `${format.number(full ?? open)} events`, short: format.tick });
const revenue = chart($("chart-revenue"), { series: bars("second"), value: String, short: String });
const ranked = (sums) => Object.entries(sums).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));

function figures({ rate, total, before }, words) {
  const newest = rate.at(-1);
  text("rate", newest ? format.rate(newest[1]) : "–");
  text("rate-note", newest ? "being processed now" : "");
  text("events", format.compact(total.events));
  text("events-note", before ? `${format.compact(before.events)} the ${words} before` : "");
  const { value, low, high } = total.uniques;
  const estimated = high - low >= 1;
  text("uniques", `${estimated ? "≈ " : ""}${format.compact(Math.round(value))}`);
  text("uniques-note", estimated ? `${format.compact(Math.round(low))} to ${format.compact(Math.round(high))}, at 95 %` : value ? "exact" : "");
  text("orders", format.compact(total.orders));
  text("orders-note", before ? `${format.compact(before.orders)} the ${words} before` : "");
  const [first, ...others] = ranked(total.revenue);
  text("revenue", first ? format.money(first[1], first[0]) : "–");
  text("revenue-note", others.length ? others.map(([code, minor]) => format.money(minor, code)).join("   ") : "");
}

function funnel({ view, cart, purchase }) {
  const steps = [["Viewed a product", view], ["Added to cart", cart], ["Purchased", purchase]];
  fill("funnel", view > 0 ? "" : "No session has viewed a product in this range yet.");
  list("funnel", steps, () => steps.map(([name, count]) => {
    const bar = make("div", "fill");
    bar.style.width = `${view > 0 ? Math.min(100, (100 * count) / view) : 0}%`;
    return make("li", "",
      make("div", "row", make("span", "", name), make("span", "count", format.number(count)), make("span", "share", format.percent(count, view))),
      make("div", "track", bar));
  }));
}

function series({ bars: points, bar, total, head }, { words, bar: unit }) {
  const [begin, end] = [total.start, total.end];
  // a window counts as complete once its end has been passed on every shard
  const open = head.complete_to === null ? 0 : head.complete_to - bar + 1;
  const told = `per ${unit}, last ${words}`;
  text("series-note", `${told}; pale where not complete`);
  fill("chart-events", total.events ? "" : "No events yet. `clickstream load run` sends some.");
  if (total.events) events.draw(split(points.map((point) => [point.start, point.events]), open), [begin / 1000, end / 1000], `Events ${told}: ${format.number(total.events)} in all.`);

  const [code, earned] = ranked(total.revenue)[0] ?? [null, 0];
  text("revenue-series-note", code ? `${code} ${told}` : told);
  fill("chart-revenue", code ? "" : "No purchases yet.");
  if (!code) return;
  revenue.label({ value: (full, pale) => format.money(full ?? pale, code), short: (value) => format.moneyShort(value, code) });
  revenue.draw(split(points.map((point) => [point.start, point.revenue[code] ?? 0]), open), [begin / 1000, end / 1000], `Revenue ${told}: ${format.money(earned, code)} in all.`);
}

function show(picture) {
  const { total } = picture;
  drawRate(picture.rate);
  if (picture.span !== range()) return;
  const named = RANGES[picture.span];
  text("window", format.span(total.start, total.end));
  figures(picture, named.words);
  funnel(total.funnel);
  text("funnel-note", `unique sessions ${["15m", "1h"].includes(picture.span) ? "by the hour" : "by the day"}`);
  for (const [id, hint] of Object.entries(EMPTY)) {
    ranks(id, total[id], hint, { count: format.number, name: NAMES[id] });
    const bound = total.bounds[id];
    text(`${id}-note`, bound ? `counts may be up to ${format.number(bound)} higher` : "");
  }
  series(picture, named);
}

function chosen() {
  const { bar, query } = RANGES[range()];
  const question = `/v1/aggregates?granularity=${bar}&from=${encodeURIComponent(query)}`;
  $("csv").href = `${question}&format=csv`;
  $("json").href = `${question}&download=1`;
}

const frame = start({ address: () => `/v1/live/now?range=${range()}`, show });
for (const input of document.querySelectorAll("input[name=range]")) input.addEventListener("change", () => {
  history.replaceState(null, "", `?range=${range()}`);
  $("unknown-range").hidden = true;
  chosen();
  frame.again();
});
chosen();

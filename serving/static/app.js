// The page: takes pictures from the feed and shows the newest one, unless it is paused or out of sight.

import { chart } from "./charts.js";
import { openFeed } from "./feed.js";
import * as format from "./format.js";
import { figures, fill, funnel, pipeline, ranked, ranks, text } from "./panels.js";

const SILENT_MS = 15_000; // workers say about every second how far they are
const RATE_SPAN_S = 300;
// What each period's bars are: the period itself is one window, shown beside the windows within or before it.
const SERIES = {
  minute: { kind: "minute", words: "per minute, last 60 minutes", width: 60 },
  hour: { kind: "minute", words: "per minute, last 60 minutes", width: 60 },
  day: { kind: "hour", words: "per hour, last 24 hours", width: 3600 },
};
const EMPTY = {
  products: "No product has been viewed in this period.",
  bought: "Nothing has been bought in this period.",
  categories: "No view in this period named a category.",
  searches: "Nobody has searched in this period.",
};
const WIDTH_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
const SIGNS = { connecting: "○", waiting: "○", live: "●", stale: "▲", disconnected: "✕", paused: "❚❚" };

const $ = (id) => document.getElementById(id);
let picture = null;
let waiting = null;
let skew = 0;
let connected = null;
let paused = false;

const charts = {
  rate: chart($("chart-rate"), { paint: "line", name: "accent", value: (value) => `${format.rate(value)} events/s`, short: format.tick }),
  events: chart($("chart-events"), { paint: "bars", name: "accent", value: (value) => `${format.number(value)} events`, short: format.tick }),
  revenue: chart($("chart-revenue"), { paint: "bars", name: "second", value: String, short: String }),
};

const period = () => document.querySelector("input[name=period]:checked").value;
const serverNow = () => Date.now() + skew;

function show() {
  if (!picture || document.hidden) return;
  const kind = period();
  const window = picture.current[kind];
  text("title", picture.title);
  const { start } = picture.series[kind].at(-1);
  text("window", picture.updated_at === null ? "" : format.span(start, start + WIDTH_MS[kind]));
  figures(picture, kind);
  funnel(window);
  for (const [id, hint] of Object.entries(EMPTY)) ranks(id, window, window ? hint : "No events in this period yet.");
  pipeline(picture.progress, picture.now);
  drawRate();
  drawSeries(SERIES[kind]);
}

function drawRate() {
  const points = picture.rate.map(([at, value]) => [at / 1000, value]);
  fill("chart-rate", points.length ? "" : "The line begins with the first two commits of the analytics worker.");
  if (!points.length) return;
  const end = points.at(-1)[0];
  const highest = Math.max(...points.map(([, value]) => value));
  charts.rate.draw(points, [end - RATE_SPAN_S, end], `Events per second over five minutes: ${format.rate(points.at(-1)[1])} now, ${format.rate(highest)} at most.`);
}

function drawSeries({ kind, words, width }) {
  const series = picture.series[kind];
  const between = [series[0].start / 1000, series.at(-1).start / 1000 + width];
  // a window counts as complete once its end has been passed on every shard
  const open = picture.complete_to === null ? 0 : picture.complete_to / 1000 - width + 0.001;
  const events = series.map((point) => [point.start / 1000, point.events]);
  const total = events.reduce((sum, [, count]) => sum + count, 0);
  text("series-note", `${words}; pale where not complete`);
  fill("chart-events", total ? "" : "No events yet. `clickstream load run` sends some.");
  if (total) charts.events.draw(events, between, `Events ${words}: ${format.number(total)} in all.`, open);

  const sums = {};
  for (const { revenue } of series) for (const [code, minor] of Object.entries(revenue)) sums[code] = (sums[code] ?? 0) + minor;
  const [code, earned] = ranked(sums)[0] ?? [null, 0];
  text("revenue-series-note", code ? `${code} ${words}` : words);
  fill("chart-revenue", code ? "" : "No purchases yet.");
  if (!code) return;
  charts.revenue.label({ value: (value) => format.money(value, code), short: (value) => format.moneyShort(value, code) });
  charts.revenue.draw(series.map((point) => [point.start / 1000, point.revenue[code] ?? 0]), between, `Revenue ${words}: ${format.money(earned, code)} in all.`, open);
}

// [state, word, detail, notice]
function status() {
  if (connected === null) return ["connecting", "Connecting", "", ""];
  if (connected === false) return ["disconnected", "Disconnected", "trying again", picture ? "The server does not answer. The figures below are the last that arrived." : "The server does not answer."];
  if (paused) return ["paused", "Paused", "", ""];
  if (picture.problem) return ["stale", "Stale", "the store cannot be read", `The store cannot be read: ${picture.problem}. The figures below are the last that could be read.`];
  if (picture.updated_at === null) return ["waiting", "Waiting", "no worker has committed yet", ""];
  const silent = serverNow() - picture.updated_at;
  if (silent > SILENT_MS) return ["stale", "Stale", `no worker has reported for ${format.duration(silent)}`, ""];
  return ["live", "Live", "", ""];
}

function showStatus() {
  const [state, word, detail, notice] = status();
  $("state").dataset.state = state;
  text("state-sign", SIGNS[state]);
  text("state-word", word); // the only part that is announced: it changes when the state does
  text("state-detail", detail);
  $("notice").hidden = !notice;
  text("notice", notice);
  if (!picture) return;
  text("age", picture.updated_at === null ? "–" : format.age(serverNow() - picture.updated_at));
  text("complete", picture.complete_to === null ? "–" : format.moment(picture.complete_to, serverNow()));
}

function accept(next) {
  skew = next.now - Date.now();
  if (paused && picture) waiting = next;
  else picture = next;
  show();
  showStatus();
}

openFeed({
  onPicture: accept,
  onConnection(is) {
    connected = is;
    if (!is) showStatus();
  },
});

$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  text("pause", paused ? "Resume" : "Pause");
  if (!paused && waiting) [picture, waiting] = [waiting, null];
  show();
  showStatus();
});
for (const input of document.querySelectorAll("input[name=period]")) input.addEventListener("change", show);
document.addEventListener("visibilitychange", show);
setInterval(showStatus, 1000);

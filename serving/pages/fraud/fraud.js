// The page Fraud: decisions of the last hour, the alarms as a work list, the model, and a purchase on request.

import { ask } from "../ask.js";
import { chart } from "../charts.js";
import { $, fill, list, make, terms, text } from "../dom.js";
import { reasons, told, words } from "../features.js";
import * as format from "../format.js";
import { start } from "../frame.js";
import { explained, history, SOURCES, VERDICTS, worklist } from "../worklist.js";

const MINUTE_MS = 60_000;
const alarms = chart($("chart-alarms"), {
  // the sum stands behind, so that the two are stacked
  series: [{ paint: "bars", ink: "second" }, { paint: "bars", ink: "bad" }],
  value: (both, block) => `${format.number(both - block)} to review, ${format.number(block)} blocked`,
  short: format.tick,
  most: 4,
});
const euros = (cents) => format.money(cents, "EUR");

function figures({ counts, money, truth }) {
  const all = counts.approve + counts.review + counts.block;
  text("decided", format.compact(all));
  text("decided-note", all ? `worth ${euros(money.approve + money.review + money.block)}` : "none in the last hour");
  for (const verdict of ["review", "block"]) {
    text(verdict, format.compact(counts[verdict]));
    text(`${verdict}-note`, all ? `${format.percent(counts[verdict], all)}, worth ${euros(money[verdict])}` : "");
  }
  text("precision", truth?.precision == null ? "–" : format.percent(truth.precision, 1));
  text("precision-note", truth ? `of ${format.number(truth.alarms)} alarms with a label` : "no labels yet");
  text("caught", truth?.frauds ? euros(truth.money_caught) : "–");
  text("caught-note", truth?.frauds ? `of ${euros(truth.money)}; ${format.number(truth.caught)} of ${format.number(truth.frauds)} frauds` : truth ? "no known fraud" : "no labels yet");
}

function bars({ minutes, from, to }) {
  const by = new Map(minutes.map((minute) => [minute.start, minute]));
  const starts = Array.from({ length: (to - from) / MINUTE_MS }, (_, n) => from + n * MINUTE_MS);
  const at = (start, verdict) => by.get(start)?.[verdict] ?? 0;
  const block = starts.map((start) => at(start, "block"));
  const both = starts.map((start, n) => at(start, "review") + block[n]);
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
  fill("chart-alarms", minutes.length ? "" : "No purchase has been decided on in the last hour.");
  if (minutes.length) alarms.draw([starts.map((start) => start / 1000), both, block], [from / 1000, to / 1000], `Alarms per minute over an hour: ${format.number(sum(both) - sum(block))} to review, ${format.number(sum(block))} blocked.`);
}

function modelTerms(model, versions, now) {
  const version = model?.version ?? null;
  text("model-note", version ? "serving" : model ? "taken back: rules decide" : "none promoted: rules decide");
  const made = Object.entries(versions).sort(([, a], [, b]) => b - a);
  terms("model", [
    ["Version", version ? make("span", "id", version) : "–"],
    ["Since", model ? format.moment(model.promoted_at, now) : "–"],
    ["Before it", model?.previous.length ? make("span", "id", model.previous.slice(0, 2).join(", ")) : "–"],
    ...made.slice(0, 4).map(([by, count]) => ["Decided by", make("span", "", make("span", "id", by), ` ${format.number(count)}`)]),
  ]);
}

function show({ head, model, decided, newest }) {
  text("window", `Last hour, ${format.span(decided.from, decided.to)}`);
  figures(decided);
  bars(decided);
  modelTerms(model, decided.versions, head.now);
  work.saw(newest);
}

const frame = start({ address: () => "/v1/live/fraud", show });
const work = worklist({ now: frame.now });

function described(decision) {
  const pairs = [
    ["Verdict", VERDICTS[decision.verdict] ?? decision.verdict],
    ["Score", format.score(decision.score, 4)],
    ["Amount", format.money(decision.amount, decision.currency)],
    ["Decided", format.moment(decision.decided_at, frame.now())],
    ["By", `${SOURCES[decision.source] ?? decision.source}, ${decision.model_version}`],
    ["Order", explained(decision)],
    ["Found by", `its ${decision.matched} id`],
    ["Reasons", reasons(decision.reasons)],
    ["Done about it", history(decision, frame.now())],
    ...Object.entries(decision.features ?? {}).map(([name, value]) => [words(name), told(name, value)]),
  ];
  return make("div", "", work.acts(decision, () => $("ask").requestSubmit()), make("dl", "terms wide", ...pairs.flatMap(([term, value]) => [make("dt", "", term), make("dd", "", value)])));
}

ask({
  address: (id) => `/v1/decisions/${encodeURIComponent(id)}`,
  clear: () => list("found", [], () => []),
  show: (found) => list("found", found, () => [...[found, ...found.others].map(described), ...(found.more ? [make("p", "note", "This order has more purchases than are shown.")] : [])]),
});

// The page Fraud: decisions of the last hour, the latest alarms, the model, and one decision on request.

import { ask } from "../ask.js";
import { chart } from "../charts.js";
import { $, fill, list, make, row, terms, text } from "../dom.js";
import * as format from "../format.js";
import { start } from "../frame.js";

const MINUTE_MS = 60_000;
const VERDICTS = { approve: "Approve", review: "Review", block: "Block" };
const SOURCES = { model: "model", unsupervised: "model without labels", rules: "rules", safeguard: "safeguard" };
const alarms = chart($("chart-alarms"), {
  // the sum stands behind, so that the two are stacked
  series: [{ paint: "bars", ink: "second" }, { paint: "bars", ink: "bad" }],
  value: (both, block) => `${format.number(both - block)} to review, ${format.number(block)} blocked`,
  short: format.tick,
  most: 4,
});
const euros = (cents) => format.money(cents, "EUR");
const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;

function reasons(given) {
  if (!given.length) return "–";
  return make("ul", "reasons", ...given.map((why) => {
    const item = make("li", "", make("span", "id", why.feature), ` ${signed(why.effect)}`);
    item.title = why.value === null ? "value missing" : `value ${why.value}`;
    return item;
  }));
}

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
  text("model-note", model ? "serving" : "none promoted: rules decide");
  const made = Object.entries(versions).sort(([, a], [, b]) => b - a);
  terms("model", [
    ["Version", model ? make("span", "id", model.version) : "–"],
    ["Since", model ? format.moment(model.promoted_at, now) : "–"],
    ["Before it", model?.previous.length ? make("span", "id", model.previous.slice(0, 2).join(", ")) : "–"],
    ...made.slice(0, 4).map(([version, count]) => ["Decided by", make("span", "", make("span", "id", version), ` ${format.number(count)}`)]),
  ]);
}

function alertRows(alerts, now) {
  fill("alerts", alerts.length ? "" : "No purchase was to be reviewed, or blocked, in the last 24 hours.");
  list("alerts", [alerts, Math.floor(now / 86_400_000)], () => alerts.map((each) => row(
    format.moment(each.decided_at, now), [VERDICTS[each.verdict] ?? each.verdict, each.verdict === "block" ? "bad" : "attention"],
    [format.money(each.amount, each.currency), "n"], [each.score.toFixed(3), "n"], [reasons(each.reasons), "wrap"],
    SOURCES[each.source] ?? each.source, [each.order_id, "id"])));
}

function show({ head, model, decided, alerts }) {
  text("window", `Last hour, ${format.span(decided.from, decided.to)}`);
  figures(decided);
  bars(decided);
  modelTerms(model, decided.versions, head.now);
  alertRows(alerts, head.now);
}

const frame = start({ address: () => "/v1/live/fraud", show });

ask({
  address: (id) => `/v1/decisions/${encodeURIComponent(id)}`,
  clear: () => terms("found", []),
  show: (found) => terms("found", [
    ["Verdict", VERDICTS[found.verdict] ?? found.verdict],
    ["Score", found.score.toFixed(4)],
    ["Amount", format.money(found.amount, found.currency)],
    ["Decided", format.moment(found.decided_at, frame.now())],
    ["By", `${SOURCES[found.source] ?? found.source}, ${found.model_version}`],
    ["Order", make("span", "id", found.order_id)],
    ["Reasons", reasons(found.reasons)],
    ...Object.entries(found.features).map(([name, value]) => [make("span", "id", name), value === null ? "missing" : format.short(value)]),
  ]),
});

// The page Recommendations: how often what was shown is clicked, and what one visitor would be shown.

import { ask } from "../ask.js";
import { chart } from "../charts.js";
import { $, fill, list, ranks, row, text } from "../dom.js";
import * as format from "../format.js";
import { start } from "../frame.js";

const KEPT_S = 1800;
const share = (value) => (value === null ? "–" : format.percent(value, 1));
const hits = chart($("chart-hits"), {
  series: [{ paint: "line", ink: "accent" }, { paint: "line", ink: "second", filled: false }],
  value: (shown, popular) => `${share(shown)} on what was shown, ${share(popular)} on what is popular`,
  short: (value) => format.percent(value, 1),
  most: 0.05,
});

function figures({ head, model, made_at, ever, lately }) {
  text("lately", format.percent(lately.hits, lately.clicks));
  text("lately-note", lately.clicks ? `${format.number(lately.hits)} of ${format.number(lately.clicks)} clicks` : "no clicks after an offer");
  text("ever", format.percent(ever.hits, ever.clicks));
  text("ever-note", ever.clicks ? `${format.compact(ever.hits)} hits in all` : "");
  text("popular-rate", format.percent(ever.popular_hits, ever.clicks));
  text("popular-note", ever.clicks ? "clicks on what is popular" : "");
  text("clicks", format.compact(ever.clicks));
  text("clicks-note", "after an offer was shown");
  text("model", model ?? "none yet");
  text("model-note", made_at ? `popular list made ${format.age(head.now - made_at)}` : "");
}

function show(picture) {
  figures(picture);
  const { line, popular } = picture;
  fill("chart-hits", line.length > 1 ? "" : "The line begins a few moments after the first clicks on recommendations.");
  if (line.length > 1) {
    const times = line.map(([at]) => at / 1000);
    const shares = (part) => line.map(([, over]) => (over.clicks ? over[part] / over.clicks : null));
    const [shown, end] = [shares("hits"), times.at(-1)];
    hits.draw([times, shown, shares("popular_hits")], [Math.min(times[0], end - KEPT_S / 6), end],
      `Hit rate over the last half hour: ${share(shown.at(-1))} now.`);
  }
  ranks("popular", popular.map((each) => [each.product_id, each.score]), "Nothing is popular yet. `clickstream worker recommendations` finds out what is.", { count: format.score });
}

start({ address: () => "/v1/live/recommendations", show });

ask({
  address: (id) => `/v1/recommendations/${encodeURIComponent(id)}`,
  clear() {
    $("found-scroll").hidden = true;
    $("export").hidden = true;
  },
  show(found, id) {
    $("json").href = `/v1/recommendations/${encodeURIComponent(id)}`;
    $("export").hidden = false;
    $("found-scroll").hidden = !found.items.length;
    list("found", found.items, () => found.items.map((item, n) => row([String(n + 1), "n"], [item.product_id, "id"], [format.score(item.score), "n"], item.reason)));
    if (!found.items.length) return "Nothing to recommend yet.";
    return found.personal ? `Made by ${found.model ?? "no model"}.` : "Nothing is known of this visitor: this is what is popular.";
  },
});

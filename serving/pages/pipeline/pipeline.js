// The page Pipeline: every application on every shard, and what is wrong with any.

import { $, fill, list, make, row, text, typed } from "../dom.js";
import * as format from "../format.js";
import { start } from "../frame.js";
import { throughput } from "../throughput.js";
import { isRead, troubles } from "../troubles.js";

const drawRate = throughput();
const name = (shard) => shard.replace(/^shardId-0*(?=\d)/, "shard ");
const known = (value, words) => (value === null ? "–" : words(value));
const breakersOf = (shard) => Object.entries(shard.breakers).map(([dependency, state]) => `${dependency} ${state}`).join(", ");

// In words, because a colour alone says nothing to many.
const STATES = { forbidden: "Forbidden", dying: "Dying", silent: "Silent", waiting: "Waiting", behind: "Behind", starting: "Starting", current: "Current", retired: "Retired", ended: "Ended" };
const INKS = { current: "good", starting: "soft", retired: "soft", ended: "soft" };

function shardsOf({ shards, ended, retired }) {
  return [shards || !(ended || retired) ? String(shards) : "", ended ? `${ended} ended` : "", retired ? `${retired} retired` : ""].filter(Boolean).join(" + ");
}

function applications(rows) {
  fill("applications", rows.length ? "" : "No worker has committed anything yet. `clickstream worker analytics` starts one; `clickstream up` starts everything.");
  list("applications", rows, () => rows.map((each) => row(
    each.application, [shardsOf(each), "n"],
    [known(each.per_second, format.rate), "n"], [known(each.lag_ms, format.duration), "n"], [known(each.lag_events, (value) => `≈ ${format.number(value)}`), "n"],
    [known(each.p50_ms, format.duration), "n"], [known(each.p99_ms, format.duration), "n"],
    [format.number(each.dead_letters), each.dead_letters ? "n attention" : "n"], [format.number(each.events), "n"])));
}

function shardRows(shards) {
  fill("shards", shards.length ? "" : "No worker has committed anything yet.");
  // rounded: a table that is rebuilt cannot be read, or selected from
  const seen = shards.map((shard) => ({ ...shard, age_ms: Math.floor(shard.age_ms / 1000), checkpoint_age_ms: Math.floor(shard.checkpoint_age_ms / 1000) }));
  list("shards", seen, () => shards.map((shard, n) => {
    const position = make("span", "", known(shard.position, (value) => `…${value.slice(-20)}`));
    position.title = shard.position ?? "";
    return row(
      [shard.application, shards[n - 1]?.application === shard.application ? "soft" : ""], [name(shard.shard), "id"], [STATES[shard.state], INKS[shard.state] ?? "attention"],
      [known(shard.lag_ms, format.duration), "n"], [isRead(shard) ? known(shard.lag_events, (value) => (value ? `≈ ${format.number(value)}` : "0")) : "–", "n"],
      [known(shard.per_second, format.rate), "n"], [known(shard.checkpoint_age_ms, format.age), "n"], [position, "id"],
      [format.number(shard.events), "n"], [format.number(shard.duplicates), "n"], [format.number(shard.dead_letters), shard.dead_letters ? "n attention" : "n"],
      [breakersOf(shard) || "closed", breakersOf(shard) ? "attention" : "soft"], [shard.owner || "–", "id"]);
  }));
}

// To a page that this server has.
function linked([path, words] = []) {
  if (!document.querySelector(`nav [href="${path}"]`)) return [];
  const link = make("a", "", words);
  link.href = path;
  return [" ", link, "."];
}

function show({ head, rate, applications: summed, shards: read }) {
  drawRate(rate);
  // the ages grow while the store does not answer
  const later = Math.max(0, head.now - head.read_at);
  const shards = read.map((shard) => ({ ...shard, age_ms: shard.age_ms + later, checkpoint_age_ms: shard.checkpoint_age_ms === null ? null : shard.checkpoint_age_ms + later }));
  const moving = shards.filter(isRead).length;
  text("window", summed.length ? `${summed.filter(({ shards: some }) => some).length} applications on ${moving} shard leases; complete to ${known(head.complete_to, (at) => format.moment(at, head.now))}` : "");
  applications(summed);
  shardRows(shards);
  const found = troubles(shards);
  fill("troubles", found.length ? "" : shards.length ? "None: every shard is current, no dead letters, no open breaker." : "Nothing runs yet.");
  // a silence grows every second: what is to be typed can be selected all the same
  list("troubles", found.map(([, advice]) => advice), () => found.map(([, advice, more]) => make("li", "", make("strong", ""), make("p", "", ...typed(advice), ...linked(more)))));
  found.forEach(([what], n) => ($("troubles").children[n].firstChild.textContent = what));
}

start({ address: () => "/v1/live/pipeline", show });

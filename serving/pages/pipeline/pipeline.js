// The page Pipeline: every application on every shard, and what is wrong with any.

import { fill, list, make, row, text } from "../dom.js";
import * as format from "../format.js";
import { start } from "../frame.js";
import { throughput } from "../throughput.js";

const SLOW_MS = 30_000;
const SILENT_MS = 15_000; // workers say about every second how far they are

const drawRate = throughput();
const name = (shard) => shard.replace(/^shardId-0*(?=\d)/, "shard ");
const known = (value, words) => (value === null ? "–" : words(value));
const breakersOf = (shard) => Object.entries(shard.breakers).map(([dependency, state]) => `${dependency} ${state}`).join(", ");

const refusalOf = ({ waiting }) => (waiting.action ? `waits for ${waiting.action} on ${waiting.resource} (runbook: A shard may not do its work)` : "");

// In words, because a colour alone says nothing to many.
function stateOf(shard) {
  if (shard.ended) return ["Ended", "soft"];
  if (shard.waiting.action) return ["Forbidden", "attention"];
  if (shard.deaths > 1) return ["Dying", "attention"];
  if (shard.age_ms > SILENT_MS) return ["Silent", "attention"];
  if (shard.lag_ms === null) return ["Starting", "soft"];
  if (Object.keys(shard.breakers).length) return ["Waiting", "attention"];
  if (shard.lag_ms > SLOW_MS) return ["Behind", "attention"];
  return ["Current", "good"];
}

function troublesOf(shards, now) {
  return shards.flatMap((shard) => {
    const where = `${shard.application}, ${name(shard.shard)}`;
    const found = [];
    if (shard.ended) return found;
    if (refusalOf(shard)) found.push(`${where}: ${refusalOf(shard)}, since ${format.moment(shard.waiting.since, now)}`);
    else if (shard.deaths > 1) found.push(`${where}: its worker died ${shard.deaths} times and the shard has not moved; the worker's log says why`);
    else if (shard.age_ms > SILENT_MS) found.push(`${where}: nothing heard from ${shard.owner || "its owner"} for ${format.duration(shard.age_ms)}: it is dead, or may not write its item (its log says which)`);
    else if (Object.keys(shard.breakers).length) found.push(`${where}: waits for ${breakersOf(shard)}`);
    else if (shard.lag_ms > SLOW_MS) found.push(`${where}: ${format.duration(shard.lag_ms)} behind`);
    if (shard.dead_letters) found.push(`${where}: ${format.number(shard.dead_letters)} dead letters`);
    return found;
  });
}

function applications(rows) {
  fill("applications", rows.length ? "" : "No worker has committed anything yet. `clickstream worker analytics` starts one; `clickstream up` starts everything.");
  list("applications", rows, () => rows.map((each) => row(
    each.application, [each.ended ? `${each.shards} + ${each.ended} ended` : String(each.shards), "n"],
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
      [shard.application, shards[n - 1]?.application === shard.application ? "soft" : ""], [name(shard.shard), "id"], stateOf(shard),
      [shard.ended ? "–" : known(shard.lag_ms, format.duration), "n"], [shard.ended ? "–" : known(shard.lag_events, (value) => (value ? `≈ ${format.number(value)}` : "0")), "n"],
      [known(shard.per_second, format.rate), "n"], [known(shard.checkpoint_age_ms, format.age), "n"], [position, "id"],
      [format.number(shard.events), "n"], [format.number(shard.duplicates), "n"], [format.number(shard.dead_letters), shard.dead_letters ? "n attention" : "n"],
      [breakersOf(shard) || "closed", breakersOf(shard) ? "attention" : "soft"], [shard.owner || "–", "id"]);
  }));
}

function show({ head, rate, applications: summed, shards: read }) {
  drawRate(rate);
  // the ages grow while the store does not answer
  const later = Math.max(0, head.now - head.read_at);
  const shards = read.map((shard) => ({ ...shard, age_ms: shard.age_ms + later, checkpoint_age_ms: shard.checkpoint_age_ms === null ? null : shard.checkpoint_age_ms + later }));
  const moving = shards.filter((shard) => !shard.ended).length;
  text("window", summed.length ? `${summed.length} applications on ${moving} shard leases; complete to ${known(head.complete_to, (at) => format.moment(at, head.now))}` : "");
  applications(summed);
  shardRows(shards);
  const troubles = troublesOf(shards, head.now);
  fill("troubles", troubles.length ? "" : shards.length ? "None: every shard is current, no dead letters, no open breaker." : "Nothing runs yet.");
  list("troubles", troubles, () => troubles.map((words) => make("li", "", words)));
}

start({ address: () => "/v1/live/pipeline", show });

// What a person should look at: one entry for each cause, not for each shard, the worst first. Pure.

import * as format from "./format.js";

const most = (shards, name) => Math.max(...shards.map((each) => each[name] ?? 0));
// By state, the worst first: what is wrong, and what to do. What stands between backticks is to be typed.
const TOLD = {
  forbidden: ({ name, cause, where }) => [`${name} may not ${cause} (${where})`, "Give back the permission, the key or the resource (runbook: A shard may not do its work): it goes on by itself."],
  dying: ({ name, where, shards }) => [`${name}: its worker died ${most(shards, "deaths")} times without moving ${where}`, 'Its log says why, before the line "the worker died".'],
  silent: ({ name, where, shards }) => [`${name} has been silent for ${format.duration(most(shards, "age_ms"))} (${where})`, `Start its worker, or read its log. If it is over for good: \`clickstream applications retire ${name}\`.`],
  waiting: ({ name, cause, where }) => [`${name} waits for ${cause} (${where})`, "Repair that store and nothing else: it then goes on by itself."],
  behind: ({ name, where, shards }) => [`${name} is ${format.duration(most(shards, "lag_ms"))} behind (${where})`, "`clickstream shards advise` says what helps."],
};
const WORST = Object.keys(TOLD);

export const isRead = ({ state }) => state !== "ended" && state !== "retired";

// What shards of one application must share to be one trouble.
const causeOf = ({ state, waiting, breakers }) => (state === "forbidden" ? `${waiting.action} on ${waiting.resource}` : state === "waiting" ? Object.keys(breakers).sort().join(", ") : "");

// Every application sets the same bad record aside for itself: the most that one has is the least that there are.
function letters(shards) {
  const kept = new Map();
  for (const each of shards) if (each.dead_letters && each.state !== "retired") kept.set(each.application, (kept.get(each.application) ?? 0) + each.dead_letters);
  const ranked = [...kept].sort(([, a], [, b]) => b - a);
  if (!ranked.length) return [];
  const by = ranked.map(([name, count]) => `${name} ${format.number(count)}`).join(", ");
  return [[`Bad records so far: ${format.number(ranked[0][1])} (each application keeps its own letters: ${by})`, "`clickstream dlq list` says why; after the repair, `clickstream dlq redrive`.", ["/letters", "See the letters that wait"]]];
}

// [what, do] pairs; some with a page that says more, as [path, words].
export function troubles(shards) {
  const causes = new Map();
  for (const each of shards.filter(({ state }) => state in TOLD)) {
    const key = JSON.stringify([each.state, each.application, causeOf(each)]);
    causes.set(key, [...(causes.get(key) ?? []), each]);
  }
  const ranked = [...causes.values()].sort((a, b) => WORST.indexOf(a[0].state) - WORST.indexOf(b[0].state) || most(b, "lag_ms") - most(a, "lag_ms"));
  const told = ranked.map((same) => {
    const [first] = same;
    const of = shards.filter((each) => each.application === first.application && isRead(each)).length;
    const where = same.length < of ? `${same.length} of ${of} shards` : "all its shards";
    return TOLD[first.state]({ name: first.application, cause: causeOf(first), where, shards: same });
  });
  return [...told, ...letters(shards)];
}

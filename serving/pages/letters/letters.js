// The page Letters: what was set aside and why, by cause. A look changes nothing; what is done about it is typed.

import { $, fill, list, make, row, text, typed } from "../dom.js";
import * as format from "../format.js";
import { start } from "../frame.js";

// What a kind of letter is, and what to do. Nothing that a client sent stands in a line that is to be typed.
const KINDS = {
  record: ["no event", (id) => `\`clickstream dlq show ${id}\` has the bytes. A client's fault: tell the client. After a deployment of yours: roll back, or deploy what reads it, then \`clickstream dlq redrive\`.`],
  effect: ["refused by a store", (id) => `Its event was counted, and is not to be again. \`clickstream dlq show ${id}\` has the effect: write it by hand, or mend the store and replay.`],
  bug: ["ended the process", (id) => `A bug: \`clickstream dlq show ${id}\` has its traceback. Mend and deploy, then \`clickstream dlq redrive\`.`],
};
const before = []; // one for each page behind the first
let cause = null;
let next = null;
let asked = 0;

const name = (shard) => shard.replace(/^shardId-0*(?=\d)/, "shard ");

function event({ event_id: id }) {
  if (!id) return "–";
  const link = make("a", "id", id);
  link.href = `/explain?event=${encodeURIComponent(id)}`;
  return link;
}

function choose(chosen) {
  cause = chosen;
  before.length = 0;
  load();
}

function causes(found, now) {
  fill("causes", found.length ? "" : "None: no letter waits.");
  list("causes", found, () => found.map((each) => {
    const [what, advice] = KINDS[each.kind] ?? [each.kind, () => "`clickstream dlq list` says more."];
    const show = make("button", "", "Letters");
    show.type = "button";
    show.setAttribute("aria-label", `Letters: ${each.reason}`);
    show.addEventListener("click", () => choose(each));
    const by = make("ul", "reasons", ...Object.entries(each.applications).map(([application, count]) => make("li", "", `${application} ${format.number(count)}`)));
    const arrived = each.first === each.last ? format.moment(each.last, now) : `${format.moment(each.first, now)} to ${format.moment(each.last, now)}`;
    return row(
      [format.number(each.letters), "n attention"], what, [`${each.reason} at ${each.path}`, "wrap"], [by, "wrap"],
      [arrived, "wrap"], [make("p", "", ...typed(advice(each.example))), "wrap"], make("div", "acts", show));
  }));
}

function letters(found, now) {
  fill("letters", found.length ? "" : before.length || cause ? "There are no further letters." : "None.");
  list("letters", found, () => found.map((each) => row(
    [each.id, "id"], format.moment(each.arrived_at, now), each.application, [name(each.shard), "id"], [event(each), "wrap"], [`${each.reason} at ${each.path}`, "wrap"])));
}

function draw(body) {
  const now = live.now();
  next = body.next;
  for (const each of document.querySelectorAll(".scroll[aria-busy]")) each.removeAttribute("aria-busy");
  const hidden = body.hidden ? `; about ${format.number(body.hidden)} are in the hands of a reader, and not shown` : "";
  const part = body.seen < body.visible ? `${format.number(body.seen)} of about ${format.number(body.visible)} letters` : `${format.number(body.seen)} letters`;
  text("looked", `${part}${hidden}`);
  causes(body.causes, now);
  letters(body.letters, now);
  text("chosen", cause ? `of one cause: ${cause.reason} at ${cause.path}` : "of all causes, the latest first");
  $("all").hidden = !cause;
  $("newer").disabled = !before.length;
  $("older").disabled = next === null;
  text("page", before.length ? `page ${before.length + 1}` : "the latest");
}

async function load() {
  const mine = ++asked;
  const question = new URLSearchParams({ count: 25 });
  if (cause) question.set("cause", cause.cause);
  if (before.length) question.set("before", before.at(-1));
  let words = "";
  try {
    const answer = await fetch(`/v1/letters?${question}`);
    const body = await answer.json();
    if (mine !== asked) return; // another question was asked meanwhile
    if (answer.ok) draw(body);
    else words = body.error;
  } catch {
    words = "the server does not answer";
  }
  if (mine !== asked) return;
  $("letters-note").hidden = !words;
  text("letters-note", words && `The queue could not be looked into: ${words}. What is shown below, if anything, may be old.`);
}

const live = start({ address: () => "/v1/live/pipeline", show() {} });
$("again").addEventListener("click", load);
$("all").addEventListener("click", () => choose(null));
$("older").addEventListener("click", () => {
  before.push(next);
  load();
});
$("newer").addEventListener("click", () => {
  before.pop();
  load();
});
load();

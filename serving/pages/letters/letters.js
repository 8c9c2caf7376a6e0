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
const PAGE = 25;
let letters = []; // of one look: pages of two looks would not fit together
let cause = null;
let page = 0;
let asked = 0;

const name = (shard) => shard.replace(/^shardId-0*(?=\d)/, "shard ");

function event({ event_id: id }) {
  if (!id) return "–";
  const link = make("a", "id", id);
  link.href = `/explain?event=${encodeURIComponent(id)}`;
  return link;
}

const told = ({ reason, path }) => (path ? `${reason} at ${path}` : reason);
const causeOf = ({ kind, reason, path }) => JSON.stringify([kind, reason, path]);

// Each with its letters, the latest first; that with the most comes first.
function causesOf(all) {
  const alike = new Map();
  for (const each of all) alike.set(causeOf(each), [...(alike.get(causeOf(each)) ?? []), each]);
  return [...alike].sort(([, a], [, b]) => b.length - a.length);
}

function byApplication(same) {
  const counts = new Map();
  for (const { application } of same) counts.set(application, (counts.get(application) ?? 0) + 1);
  return [...counts].sort().map(([application, count]) => make("li", "", `${application} ${format.number(count)}`));
}

function drawCauses(now) {
  const found = causesOf(letters);
  fill("causes", found.length ? "" : "None: no letter waits.");
  list("causes", found, () => found.map(([key, same]) => {
    const [first, last] = [same.at(-1), same[0]];
    const [what, advice] = KINDS[last.kind] ?? [last.kind, () => "`clickstream dlq list` says more."];
    const show = make("button", "", "Letters");
    show.type = "button";
    show.setAttribute("aria-label", `Letters: ${told(last)}`);
    show.addEventListener("click", () => turn(0, key));
    const [since, until] = [first, last].map((each) => format.moment(each.arrived_at, now));
    return row(
      [format.number(same.length), "n attention"], what, [told(last), "wrap"], [make("ul", "reasons", ...byApplication(same)), "wrap"],
      [since === until ? since : `${since} to ${until}`, "wrap"], [make("p", "", ...typed(advice(last.id))), "wrap"], make("div", "acts", show));
  }));
}

function turn(to, chosen = cause) {
  [page, cause] = [to, chosen];
  const of = cause === null ? letters : letters.filter((each) => causeOf(each) === cause);
  const found = of.slice(PAGE * page, PAGE * (page + 1));
  const now = live.now();
  fill("letters", found.length ? "" : cause === null ? "None." : "None of this cause any more.");
  list("letters", found, () => found.map((each) => row(
    [each.id, "id"], format.moment(each.arrived_at, now), each.application, [name(each.shard), "id"], [event(each), "wrap"], [told(each), "wrap"])));
  text("chosen", cause === null ? "of all causes, the latest first" : "of one cause, the latest first");
  $("all").hidden = cause === null;
  $("newer").disabled = page === 0;
  $("older").disabled = of.length <= PAGE * (page + 1);
  text("page", page ? `page ${page + 1}` : "the latest");
}

function draw({ letters: seen, visible, hidden }) {
  letters = seen;
  for (const each of document.querySelectorAll(".scroll[aria-busy]")) each.removeAttribute("aria-busy");
  const part = visible > seen.length ? `${format.number(seen.length)} of about ${format.number(visible)} letters` : `${format.number(seen.length)} letters`;
  text("looked", hidden ? `${part}; about ${format.number(hidden)} are in the hands of a reader, and not shown` : part);
  drawCauses(live.now());
  turn(0);
}

async function load() {
  const mine = ++asked;
  let words = "";
  try {
    const answer = await fetch("/v1/letters");
    const body = await answer.json();
    if (mine !== asked) return; // asked again meanwhile
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
$("all").addEventListener("click", () => turn(0, null));
$("older").addEventListener("click", () => turn(page + 1));
$("newer").addEventListener("click", () => turn(page - 1));
load();

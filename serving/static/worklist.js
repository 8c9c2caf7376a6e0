// The alarms as a work list: filters, pages, and what people do about a decision.

import { $, fill, list, make, row, text } from "./dom.js";
import { reasons } from "./features.js";
import * as format from "./format.js";

export const VERDICTS = { approve: "Approve", review: "Review", block: "Block" };
export const SOURCES = { model: "model", unsupervised: "model without labels", rules: "rules", safeguard: "safeguard" };
const ACTIONS = { approve: ["Approve", "approved"], block: ["Block", "blocked"], fraud: ["Fraud", "labelled a fraud"], genuine: ["Genuine", "labelled genuine"] };
const COUNT = 25;
const AGAIN_MS = 10_000; // others work on the list too
const NAME = "clickstream.reviewer";

export const explained = (decision) => {
  const link = make("a", "id", decision.order_id);
  link.href = `/explain?event=${encodeURIComponent(decision.event_id)}`;
  return link;
};

export function history(decision, now) {
  if (!decision.reviews.length) return "–";
  return make("ul", "", ...decision.reviews.map(({ action, by, at }) => make("li", "", `${ACTIONS[action]?.[1] ?? action} by ${by}, ${format.moment(at, now)}`)));
}

// `now` is the server's time. Answers {saw, acts}: saw(key of the newest alarm) with each picture; acts(decision, after) are its buttons.
export function worklist({ now }) {
  const filter = $("filter");
  const before = []; // one for each page behind the first
  let next = null;
  let newest;
  let loadedAt = 0;
  let asked = 0;
  let unread = false;

  const chosen = () => new URLSearchParams([...new FormData(filter)].filter(([name]) => name !== "by"));

  async function load() {
    const mine = ++asked;
    loadedAt = Date.now();
    const question = chosen();
    $("csv").href = `/v1/fraud/alerts?${question}&count=200&format=csv`;
    question.set("count", COUNT);
    if (before.length) question.set("before", before.at(-1));
    try {
      const answer = await fetch(`/v1/fraud/alerts?${question}`);
      const body = await answer.json();
      if (mine !== asked) return;
      if (!answer.ok) throw new Error(body.error);
      draw(body);
    } catch (error) {
      if (mine !== asked) return;
      say(`The list could not be read: ${error.message}. What is shown may be old.`);
      unread = true;
    }
  }

  function draw({ alerts, next: behind }) {
    if (unread) say(""); // what is shown is not old any more
    next = behind;
    const at = now();
    $("alerts").closest(".scroll").removeAttribute("aria-busy");
    fill("alerts", alerts.length ? "" : before.length ? "There are no further alarms." : "No alarm is like this.");
    list("alerts", [alerts, Math.floor(at / 86_400_000)], () => alerts.map((each) => row(
      format.moment(each.decided_at, at), [VERDICTS[each.verdict] ?? each.verdict, each.verdict === "block" ? "bad" : "attention"],
      [format.money(each.amount, each.currency), "n"], [format.score(each.score, 3), "n"], [reasons(each.reasons), "wrap"],
      SOURCES[each.source] ?? each.source, explained(each), history(each, at), acts(each, load))));
    $("newer").disabled = !before.length;
    $("older").disabled = next === null;
    text("page", before.length ? `page ${before.length + 1}` : "the latest");
  }

  function acts(decision, after) {
    const buttons = Object.entries(ACTIONS).map(([action, [name, done]]) => {
      const button = make("button", "", name);
      button.type = "button";
      button.setAttribute("aria-label", `${name}: order ${decision.order_id}`);
      button.addEventListener("click", () => act(decision, action, done, after));
      return button;
    });
    return make("div", "acts", ...buttons);
  }

  async function act(decision, action, done, after) {
    const by = $("by").value.trim();
    if (!by) {
      say("Who are you? Your name stands beside what you do.");
      $("by").focus();
      return;
    }
    try {
      const answer = await fetch("/v1/fraud/reviews", {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRF-Token": filter.dataset.token },
        body: JSON.stringify({ id: decision.id, action, by }),
      });
      const body = await answer.json();
      if (answer.status >= 500) throw new Error(body.error);
      if (!answer.ok) {
        say(`Nothing was noted of order ${decision.order_id}: ${body.error}`);
        return;
      }
      say(`Order ${decision.order_id} was ${done}.`);
      await after(body);
      await load();
    } catch (error) {
      await load();
      say(`It is not known whether it was noted that order ${decision.order_id} was ${done}: ${error.message}. Look at the list.`);
    }
  }

  function say(words) {
    unread = false;
    text("work-note", words);
  }

  filter.addEventListener("submit", (event) => event.preventDefault());
  filter.addEventListener("change", (event) => {
    if (event.target.id === "by") return;
    before.length = 0;
    load();
  });
  $("older").addEventListener("click", () => {
    before.push(next);
    load();
  });
  $("newer").addEventListener("click", () => {
    before.pop();
    load();
  });
  try {
    $("by").value = localStorage.getItem(NAME) ?? "";
    $("by").addEventListener("change", () => localStorage.setItem(NAME, $("by").value.trim()));
  } catch {
    // storage may be forbidden: the name then lasts as long as the page
  }

  return {
    acts,
    saw(key) {
      if (key === newest && Date.now() - loadedAt < AGAIN_MS) return;
      newest = key;
      // who has turned the page reads on
      if (!before.length) load();
    },
  };
}

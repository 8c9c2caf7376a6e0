// A form that asks the API for one thing and shows it.

import { $, text } from "./dom.js";

// `address` of what was typed; `show` draws the answer, `clear` takes an earlier one away.
export function ask({ address, show, clear }) {
  const say = (words) => {
    $("found-note").hidden = !words;
    text("found-note", words);
  };
  let latest = 0;
  $("ask").addEventListener("submit", async (event) => {
    event.preventDefault();
    const id = $("ask").querySelector("input").value.trim();
    const mine = ++latest;
    let words = "";
    let found = null;
    try {
      const answer = await fetch(address(id));
      const body = await answer.json();
      if (answer.ok) found = body;
      else words = body.error;
    } catch {
      words = "The server does not answer.";
    }
    if (mine !== latest) return; // another question was asked meanwhile
    clear();
    if (found) words = show(found, id) ?? "";
    say(words);
  });
}

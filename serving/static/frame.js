// What every page has: the feed, the state of the data, pause, and the theme.

import { $, text } from "./dom.js";
import { openFeed } from "./feed.js";
import * as format from "./format.js";

const SIGNS = { connecting: "○", loading: "○", waiting: "○", live: "●", stale: "▲", disconnected: "✕", paused: "❚❚" };

// `address` is where the pictures come from, `show` draws one. Answers {again, now}: again() goes to a changed address.
export function start({ address, show }) {
  let picture = null;
  let waiting = null;
  let skew = 0;
  let connected = null;
  let paused = false;

  const now = () => Date.now() + skew;
  // before the first reading there is nothing that could be said, least of all that there is none
  const wasRead = () => picture !== null && picture.head.read_at !== null;
  const draw = () => wasRead() && !document.hidden && show(picture);

  // [state, word, detail, notice]
  function status() {
    if (connected === null) return ["connecting", "Connecting", "", ""];
    if (connected === false) return ["disconnected", "Disconnected", "trying again", wasRead() ? "The server does not answer. The figures below are the last that arrived." : "The server does not answer."];
    if (paused) return ["paused", "Paused", "", ""];
    const { problem, updated_at, halted, absent } = picture.head;
    if (problem) return ["stale", wasRead() ? "Stale" : "Not read", "a store cannot be read", `The store cannot be read: ${problem}. ${wasRead() ? "The figures below are the last that could be read." : "Nothing could be read yet."}`];
    if (!wasRead()) return ["loading", "Loading", "the stores are being read", ""];
    const halts = Object.entries(halted).map(([name, why]) => `${name} ${why}`).join(", ");
    const missing = $("troubles") ? "" : `${halts}: what it should have counted since then is missing below. The page Pipeline says what to do.`;
    if (halts) return ["stale", "Stale", halts, missing];
    if (absent.length) return ["waiting", "Waiting", `${absent.join(", ")} has not run here yet`, ""];
    if (updated_at === null) return ["waiting", "Waiting", "no worker is to report: none has run, or all are retired", ""];
    return ["live", "Live", "", ""];
  }

  function showStatus() {
    const [state, word, detail, notice] = status();
    $("state").dataset.state = state;
    $("main").setAttribute("aria-busy", String(!wasRead()));
    text("state-sign", SIGNS[state]);
    text("state-word", word); // the only part that is announced: it changes when the state does
    text("state-detail", detail);
    $("notice").hidden = !notice;
    text("notice", notice);
    if (!picture) return;
    const { title, updated_at, complete_to } = picture.head;
    text("title", title);
    text("age", updated_at === null ? "–" : format.age(now() - updated_at));
    text("complete", complete_to === null ? "–" : format.moment(complete_to, now()));
  }

  const feed = openFeed({
    address,
    onPicture(next) {
      skew = next.head.now - Date.now();
      if (paused && picture) waiting = next;
      else picture = next;
      draw();
      showStatus();
    },
    onConnection(is) {
      connected = is;
      if (!is) showStatus();
    },
  });

  $("pause").addEventListener("click", () => {
    paused = !paused;
    $("pause").setAttribute("aria-pressed", String(paused));
    text("pause", paused ? "Resume" : "Pause");
    if (!paused && waiting) [picture, waiting] = [waiting, null];
    draw();
    showStatus();
  });
  document.addEventListener("visibilitychange", draw);
  setInterval(showStatus, 1000);
  showStatus();

  return {
    now,
    again() {
      // what was chosen is to be seen, paused or not
      if (paused) $("pause").click();
      waiting = null;
      feed.reopen();
    },
  };
}

const THEMES = ["system", "light", "dark"];

function themeButton() {
  const root = document.documentElement;
  const say = () => text("theme", `Theme: ${root.dataset.theme ?? "system"}`);
  $("theme").addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "system") + 1) % THEMES.length];
    if (next === "system") delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      localStorage.setItem("clickstream.theme", next);
    } catch {
      // storage may be forbidden: the choice then lasts as long as the page
    }
    say();
    dispatchEvent(new Event("themechange"));
  });
  say();
}

themeButton();

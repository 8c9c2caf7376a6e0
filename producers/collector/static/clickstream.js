/* The browser's side of the collector. No dependencies.
 *
 *   <script src="https://collector.example/clickstream.js" data-key="ck_…" defer></script>
 *   clickstream.identify("u-7"); clickstream.track("page_view", {url: location.pathname});
 *
 * An event keeps its id through every retry, so the collector and its readers count it once. */
(() => {
  "use strict";
  const MOST = 50;            // events of one request; a beacon may carry 64 KB
  const KEPT = 1000;          // events that wait; beyond, the oldest go
  const BEACONED = 60_000;    // bytes of one beacon; a browser takes 64 KB, of all that are under way
  const STORED = 1_000_000;   // characters that wait for the next page
  const LINGER_MS = 500;
  const LONGEST_MS = 30_000;
  const script = document.currentScript;
  const key = script?.dataset.key ?? "";
  const endpoint = script?.dataset.endpoint ?? new URL("/v1/events", script?.src ?? location.href).href;
  const told = new Set();     // paths that are not kept, each once a page
  let queue = [];
  let user, timer, sending = false, failures = 0;

  const uuid7 = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    let now = Date.now();
    for (let i = 5; i >= 0; i--) { bytes[i] = now % 256; now = Math.floor(now / 256); }
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  };

  // storage may be forbidden: then an id lasts as long as the page
  const kept = (storage, name) => {
    try {
      const store = window[storage];
      const found = store.getItem(name) ?? uuid7();
      store.setItem(name, found);
      return found;
    } catch { return uuid7(); }
  };
  const visitor = kept("localStorage", "clickstream.visitor");
  const session = kept("sessionStorage", "clickstream.session");

  const schedule = (ms) => { timer ??= setTimeout(() => { timer = undefined; send(); }, ms); };

  const send = async () => {
    if (sending || !queue.length) return;
    sending = true;
    const batch = queue.slice(0, MOST);
    let wait = 0;
    try {
      const headers = {"Content-Type": "application/json", ...(key && {Authorization: `Bearer ${key}`})};
      const response = await fetch(endpoint, {method: "POST", headers, body: JSON.stringify(batch), credentials: "omit"});
      const again = response.status === 408 || response.status === 429 || response.status >= 500;
      const answers = response.ok || again || response.status === 422 ? (await response.json().catch(() => ({}))).events ?? [] : [];
      const retry = new Set(answers.filter((each) => each.status === "retry").map((each) => each.event_id));
      settle(again && !answers.length ? [] : batch.filter((event) => !retry.has(event.event_id)));
      if (again) wait = 1000 * (Number(response.headers.get("Retry-After")) || 1);
      for (const each of answers) {
        if (each.status === "rejected") console.warn(`clickstream: event ${each.event_id} refused`, each.errors);
        for (const path of each.not_kept ?? []) {
          if (told.has(path)) continue;
          told.add(path);
          console.warn(`clickstream: ${path} is not kept, since no type declares it: event ${each.event_id}`);
        }
      }
      if (!response.ok && !again) console.warn(`clickstream: ${response.status}, ${batch.length} events refused`);
    } catch { wait = 1000; }   // no connection
    sending = false;
    failures = wait ? failures + 1 : 0;
    if (queue.length) schedule(wait ? Math.min(LONGEST_MS, Math.max(wait, 500 * 2 ** failures)) * (1 + Math.random() / 2) : 0);
  };

  const settle = (done) => {
    const ids = new Set(done.map((event) => event.event_id));
    for (let i = queue.length - 1; i >= 0; i--) if (ids.has(queue[i].event_id)) queue.splice(i, 1);
  };

  // what the last page could not send; a tab takes it out, so that two tabs do not both keep it
  const WAITING = "clickstream.waiting";
  const take = () => {
    try {
      const found = JSON.parse(localStorage.getItem(WAITING) ?? "[]");
      localStorage.removeItem(WAITING);
      return Array.isArray(found) ? found : [];
    } catch { return []; }
  };
  const keep = () => {
    const ids = new Set(queue.map((event) => event.event_id));
    const events = [...take().filter((event) => !ids.has(event.event_id)), ...queue].slice(-KEPT);
    while (events.length && JSON.stringify(events).length > STORED) events.splice(0, Math.ceil(events.length / 10));
    try { if (events.length) localStorage.setItem(WAITING, JSON.stringify(events)); } catch { /* full, or forbidden */ }
  };

  // the page goes: what waits, and what is under way and may be cut off, leaves with beacons, under the same ids; what the browser
  // takes no more of stays for the next page
  const leave = () => {
    const target = key ? `${endpoint}?key=${encodeURIComponent(key)}` : endpoint;
    while (queue.length) {
      const batch = [];
      let body = "";
      for (const event of queue.slice(0, MOST)) {
        const more = [...batch, event], longer = JSON.stringify(more);
        if (batch.length && new Blob([longer]).size > BEACONED) break;
        batch.push(event);
        body = longer;
      }
      if (!navigator.sendBeacon(target, new Blob([body], {type: "application/json"}))) break;
      settle(batch);
    }
    keep();
  };
  addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "hidden") leave(); });

  queue = take().slice(-KEPT);
  if (queue.length) schedule(LINGER_MS);

  window.clickstream = {
    identify(id) {
      const known = typeof id === "string" || Number.isSafeInteger(id) ? String(id) : "";
      if (known === "" || known.length > 256) { console.error("clickstream: identify() needs a text or a whole number", id); return; }
      user = known;
    },
    track(type, fields = {}) {
      const event = {
        type, event_id: uuid7(), user_id: user ?? visitor, session_id: session, occurred_at: Date.now(), schema_version: 2,
        context: {referrer: document.referrer.slice(0, 2048)}, ...fields,
      };
      queue.push(event);
      if (queue.length > KEPT) queue.shift();
      schedule(queue.length >= MOST && !failures ? 0 : LINGER_MS);
      return event.event_id;
    },
  };
})();

// The features of purchases in words, with their values; and why a purchase was decided so.

import { make } from "./dom.js";
import * as format from "./format.js";

const WINDOWS = { "1h": "in an hour", "24h": "in 24 hours", "7d": "in 7 days" };
const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const euros = (cents) => format.money(cents, "EUR");
const since = (seconds) => format.duration(1000 * seconds);
const times = (value) => `${format.short(value)} times`;
const yes = (value) => (value ? "yes" : "no");
// name, or what stands before its window: [words, the value as a text]
const FEATURES = {
  amount: ["amount", euros],
  pieces: ["pieces bought"],
  lines: ["different products"],
  hour: ["hour of the day (UTC)"],
  weekday: ["day of the week", (day) => DAYS[day] ?? format.short(day)],
  purchases: ["purchases of the user"],
  spent: ["spent by the user", euros],
  amount_to_usual: ["amount beside the user's usual", times],
  since_purchase: ["since the user's last purchase", since],
  devices: ["devices of the user"],
  countries: ["countries of the user"],
  payments: ["cards of the user"],
  ips: ["addresses of the user"],
  new_device: ["a device new to the user", yes],
  new_country: ["a country new to the user", yes],
  new_payment: ["a card new to the user", yes],
  new_ip: ["an address new to the user", yes],
  failed_logins: ["failed log-ins of the user"],
  since_failed_login: ["since the user's last failed log-in", since],
  views: ["products viewed"],
  carts: ["products put into the cart"],
  since_cart: ["since the last product went into the cart", since],
  since_view: ["since the last product was viewed", since],
  users_by_ip: ["users at this address"],
  payments_by_ip: ["cards at this address"],
  failed_logins_by_ip: ["failed log-ins from this address"],
  users_by_device: ["users on this device"],
  payments_by_device: ["cards on this device"],
  failed_logins_by_device: ["failed log-ins on this device"],
  users_by_payment: ["users of this card"],
  devices_by_payment: ["devices with this card"],
  purchases_by_payment: ["purchases with this card"],
  spent_by_payment: ["spent with this card", euros],
  keys_across_shards: ["what other shards saw of address, device and card"],
  reused_event_id: ["another purchase had this event id before"],
};

// A name that is not known here, of a newer model, stays as it is.
function known(name) {
  const [, stem, window] = /^(.*)_(1h|24h|7d)$/.exec(name) ?? [null, name, null];
  const [words, value] = FEATURES[stem] ?? [name];
  return [window && FEATURES[stem] ? `${words}, ${WINDOWS[window]}` : words, value ?? format.short];
}

export const words = (name) => known(name)[0];
export const told = (name, value) => (value === null ? "not known" : known(name)[1](value));

// The effect is for who knows the model: it stands in the hint.
export function reasons(given) {
  if (!given.length) return "–";
  return make("ul", "reasons", ...given.map((why) => {
    const item = make("li", "", why.feature === "reused_event_id" ? words(why.feature) : `${words(why.feature)}: ${told(why.feature, why.value)}`);
    item.title = `${why.feature}, ${why.effect < 0 ? "−" : "+"}${format.score(Math.abs(why.effect))}`;
    return item;
  }));
}

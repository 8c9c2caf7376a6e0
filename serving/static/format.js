// Numbers, money and times as text. Times are UTC, as the windows are.

import exponents from "./currencies.js";

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const shortened = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const share = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const hour = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", day: "numeric", month: "short", year: "numeric" });
const currencies = new Map();
const regions = new Intl.DisplayNames(undefined, { type: "region", fallback: "code" });

export const number = (value) => whole.format(value);
// Exact as long as it fits a headline; an axis has less room.
export const compact = (value) => (value < 1_000_000 ? whole : shortened).format(value);
export const tick = (value) => (value < 10_000 ? new Intl.NumberFormat().format(value) : shortened.format(value));
export const short = (value) => (Number.isInteger(value) ? whole.format(value) : new Intl.NumberFormat(undefined, { maximumSignificantDigits: 4 }).format(value));
// With so many digits that scores below each other can be compared.
export const score = (value, digits = 2) => new Intl.NumberFormat(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
const tenths = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
export const rate = (value) => (value < 10 ? tenths : whole).format(value);
export const percent = (part, of) => (of > 0 ? share.format(part / of) : "–");

function currency(code) {
  if (!currencies.has(code)) {
    const digits = exponents[code] ?? 2; // as the answers have it; a browser takes what is usual in cash
    const exact = new Intl.NumberFormat(undefined, { style: "currency", currency: code, minimumFractionDigits: digits, maximumFractionDigits: digits });
    const rough = new Intl.NumberFormat(undefined, { style: "currency", currency: code, notation: "compact", maximumFractionDigits: 1 });
    const plain = new Intl.NumberFormat(undefined, { style: "currency", currency: code, maximumFractionDigits: 0 });
    currencies.set(code, { exact, rough, plain, unit: 10 ** digits });
  }
  return currencies.get(code);
}

// Cents say nothing beside thousands, and a headline must fit its column.
export function money(minor, code) {
  const { exact, plain, rough, unit } = currency(code);
  const value = minor / unit;
  return (value < 1_000 ? exact : value < 10_000_000 ? plain : rough).format(value);
}

export const moneyShort = (minor, code) => currency(code).rough.format(minor / currency(code).unit);
export const major = (minor, code) => minor / currency(code).unit;

export function country(code) {
  try {
    return regions.of(code.toUpperCase());
  } catch {
    return code; // no code of a country: shown as it came
  }
}

export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} days`;
}

export const age = (ms) => (ms < 1500 ? "just now" : `${duration(ms)} ago`);

// A time alone when it is of the same day as `now`; else with its date.
export function moment(ms, now) {
  const sameDay = Math.floor(ms / 86_400_000) === Math.floor(now / 86_400_000);
  return sameDay ? clock.format(ms) : `${date.format(ms)}, ${clock.format(ms)}`;
}

export function span(start, end) {
  if (end - start > 2 * 86_400_000) return `${date.format(start)} to ${date.format(end - 1)} (UTC)`;
  const sameDay = Math.floor(start / 86_400_000) === Math.floor((end - 1) / 86_400_000);
  return `${date.format(start)}, ${hour.format(start)} to ${sameDay ? "" : `${date.format(end)}, `}${hour.format(end)} UTC`;
}

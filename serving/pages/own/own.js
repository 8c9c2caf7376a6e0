// The page Own answers: a panel for each table of a shop's own applications, the newest window first.

import { $, fill, list, make, row, text } from "../dom.js";
import * as format from "../format.js";
import { start } from "../frame.js";

const UNITS = [[86_400_000, "day"], [3_600_000, "hour"], [60_000, "minute"], [1000, "second"]];

function per({ start, end }) {
  if (start === null) return "of all time";
  const ms = end - start;
  const [length, unit] = UNITS.find(([each]) => ms % each === 0) ?? [1, "millisecond"];
  return ms === length ? `per ${unit}` : `per ${format.number(ms / length)} ${unit}s`;
}

// A number; quantiles; or a ranking, each count with its bound if it is not exact.
function value(given) {
  if (given === null) return "–";
  if (isNumber(given)) return format.short(given);
  const pairs = Array.isArray(given)
    ? given.map(({ key, count, most }) => [key, format.number(count) + (most > count ? `–${format.number(most)}` : "")])
    : Object.entries(given).map(([at, number]) => [`p${format.short(100 * at)}`, format.short(number)]);
  return pairs.length ? make("ul", "reasons", ...pairs.map(([name, said]) => make("li", "", make("span", "soft", name), ` ${said}`))) : "–";
}

const isNumber = (given) => given === null || typeof given === "number";

function panel(table, id) {
  const title = make("h2", "", `${table.application}: ${table.table}`);
  title.id = `title-${id}`;
  const address = `/v1/own/${encodeURIComponent(table.application)}/${encodeURIComponent(table.table)}`;
  const links = make("span", "export", ...[["CSV", "format=csv"], ["JSON", "download=1"]].map(([name, query]) => {
    const link = make("a", "", name);
    link.href = `${address}?limit=10000&${query}`;
    link.download = "";
    link.setAttribute("aria-label", `${name} of ${table.application}: ${table.table}`);
    return link;
  }));
  const note = make("p");
  note.id = `note-${id}`;
  const body = make("table");
  body.id = `rows-${id}`;
  const scroll = make("div", "scroll", body);
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-labelledby", title.id);
  const empty = make("p", "empty");
  empty.id = `empty-rows-${id}`;
  return make("section", "panel", make("header", "", title, note, links), scroll, empty);
}

function draw(table, id) {
  const { application, cells, complete_to, problem, rows } = table;
  const numeric = cells.filter((cell) => rows.every(({ values }) => isNumber(values[cell])));
  text(`note-${id}`, rows.length ? per(rows[0]) + (numeric.length ? `, by ${numeric[0]}` : "") : "");
  fill(`rows-${id}`, rows.length ? "" : problem || `No rows in the newest windows. \`clickstream worker ${application}\` fills this table.`);
  list(`rows-${id}`, [rows, complete_to], () => {
    const head = make("thead", "", make("tr", "", ...["Key", ...cells].map((name) => {
      const cell = make("th", numeric.includes(name) ? "n" : "", name);
      cell.scope = "col";
      return cell;
    })));
    const windows = [...Map.groupBy(rows, (each) => each.start).values()];
    return [head, ...windows.map((group) => {
      const { start, end } = group[0];
      const label = make("th", "", start === null ? "All time" : format.span(start, end), start === null || end <= complete_to ? "" : " · more may come");
      label.scope = "rowgroup";
      label.colSpan = cells.length + 1;
      return make("tbody", "", make("tr", "group", label), ...group.map(({ key, values }) => row([key, "id"], ...cells.map((name) => [value(values[name]), numeric.includes(name) ? "n" : ""]))));
    })];
  });
}

function show({ tables }) {
  fill("own", tables.length ? "" : "The shop's own applications keep no tables: they answer with messages or files.");
  list("own", tables.map(({ application, table }) => [application, table]), () => tables.map((table, id) => panel(table, id)));
  tables.forEach((table, id) => draw(table, id));
}

start({ address: () => "/v1/live/own", show });

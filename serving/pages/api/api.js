// The OpenAPI document, for reading. No feed: nothing here changes.

import { $, make } from "../dom.js";
import { start } from "../frame.js";

const kind = (schema) => schema.enum?.join(" | ") ?? (schema.minimum === undefined ? schema.type : `${schema.minimum} to ${schema.maximum}`);
const example = (path) => path.replace(/\{(\w+)\}/g, "…");

function operation(path, method, get) {
  const parameters = get.parameters.map((each) => make("tr", "",
    make("td", "id", each.name), make("td", "soft", kind(each.schema)), make("td", "soft", each.schema.default === undefined ? (each.required ? "required" : "") : `default ${each.schema.default}`), make("td", "wrap", each.description)));
  const heading = make("h2", "", make("span", "soft", `${method.toUpperCase()} `), path);
  const link = make("a", "", "Open");
  link.href = path;
  const statuses = Object.entries(get.responses).map(([status, { description }]) => make("li", "", make("span", "id", status), ` ${description}`));
  const panel = make("section", "panel", make("header", "", heading, make("p", "", get.summary)));
  if (method === "get" && example(path) === path) panel.firstChild.append(link);
  if (parameters.length) {
    const table = make("table", "", make("tbody", "", ...parameters));
    const scroll = make("div", "scroll", table);
    scroll.tabIndex = 0;
    scroll.role = "region";
    scroll.ariaLabel = `Parameters of ${path}`;
    panel.append(scroll);
  }
  panel.append(make("ul", "statuses", ...statuses));
  return panel;
}

const described = await (await fetch("/v1/openapi.json")).json();
$("operations").replaceChildren(...Object.entries(described.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, each]) => operation(path, method, each))));
start({ address: () => "/v1/live/pipeline", show() {} });

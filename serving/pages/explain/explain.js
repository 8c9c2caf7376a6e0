// One event's life comes with the page; only the state of the data is live.

import { $ } from "../dom.js";
import { start } from "../frame.js";

start({ address: () => "/v1/live/pipeline", show() {} });

// What was pasted often has a blank beside it, and what is empty is not asked for.
$("ask").addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of [...formData]) {
    if (value.trim()) formData.set(name, value.trim());
    else formData.delete(name);
  }
});

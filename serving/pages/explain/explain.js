// One event's life comes with the page; only the state of the data is live.

import { start } from "../frame.js";

start({ address: () => "/v1/live/pipeline", show() {} });

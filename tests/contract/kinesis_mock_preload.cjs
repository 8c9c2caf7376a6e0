// Loaded before kinesis-mock (node --require), which listens on every interface and has no option for another
// address; a test's server has no business being reachable from outside this machine.
// SIGUSR2 moves its clock forward by CLOCK_STEP_MS: the only way to see a shard iterator expire without waiting for it.
"use strict";
const net = require("node:net");

const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (first, ...rest) {
  if (first !== null && typeof first === "object") return listen.call(this, { ...first, host: "127.0.0.1" }, ...rest);
  return listen.call(this, first, "127.0.0.1", ...rest.filter((argument) => typeof argument === "function"));
};

let ahead = 0;
process.on("SIGUSR2", () => {
  ahead += Number(process.env.CLOCK_STEP_MS);
});
const { performance } = require("node:perf_hooks");
const [now, elapsed] = [Date.now.bind(Date), performance.now.bind(performance)];
Date.now = () => now() + ahead;
Object.defineProperty(performance, "now", { value: () => elapsed() + ahead });

// Reads a clickstream in Node. As a module: require("./records.cjs").lines(data). As a program: a record's data in base64 on
// each line of stdin, an event on each line of stdout; what is damaged is named on stderr, and the exit code is then 3.
//
// zstd: Node 22.15 or later has it; before, `npm install fzstd` (which does not check the frame's checksum).
// docs/reference/records.md has the format.
"use strict";

const zlib = require("node:zlib");
const readline = require("node:readline");

const MOST_BYTES = 8 * 1024 * 1024;

/** The lines that are not blank, as [index, text]. Throws for a block that is damaged or too large. */
function lines(data) {
  return inflated(data)
    .toString("utf8")
    .split("\n")
    .map((line, index) => [index, line])
    .filter(([, line]) => line.trim());
}

function inflated(data) {
  const magic = data.subarray(0, 4).toString("hex");
  if (magic === "28b52ffd") return unzstd(data);
  if (magic.startsWith("1f8b")) return zlib.gunzipSync(data, { maxOutputLength: MOST_BYTES });
  return data;
}

function unzstd(data) {
  if (zlib.zstdDecompressSync) return zlib.zstdDecompressSync(data, { maxOutputLength: MOST_BYTES });
  const chunks = [];
  let size = 0;
  const inflating = new (require("fzstd").Decompress)((chunk) => {
    size += chunk.length;
    if (size > MOST_BYTES) throw new Error("a block of more than 8 MiB");
    chunks.push(chunk);
  });
  inflating.push(data, true);
  return Buffer.concat(chunks);
}

async function main() {
  let number = 0;
  for await (const record of readline.createInterface({ input: process.stdin })) {
    number += 1;
    try {
      for (const [, line] of lines(Buffer.from(record, "base64"))) process.stdout.write(line + "\n");
    } catch (error) {
      process.stderr.write(`record ${number}: ${error.message}\n`);
      process.exitCode = 3;
    }
  }
}

module.exports = { lines };
if (require.main === module) main();

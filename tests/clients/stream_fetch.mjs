// Reads a stream of Canvus with the fetch of Node, the way a program for browsers does.
//
// Usage: node stream_fetch.mjs URL SECRET
//
// Prints each object on a line of its own, whether it came alone or in an array; `alive` for a sign of life; and `the end` at
// the end.

const [url, secret] = process.argv.slice(2);
const response = await fetch(url, { headers: { "Private-Token": secret } });
if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);

let coming = "";
for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
  const lines = (coming + piece).split("\n");
  coming = lines.pop();
  for (const line of lines) {
    if (line === "") {
      console.log("alive");
      continue;
    }
    for (const item of [JSON.parse(line)].flat()) console.log(JSON.stringify(item));
  }
}
if (coming !== "") throw new Error(`half a line is left: ${coming}`);
console.log("the end");

// A page of another origin in headless Chromium, and what it may read of the server.
// Usage: page.mjs CHROMIUM ORIGIN, with a list of requests as JSON on the input: [{"url", "method",
// "headers", "body"}, …]. Prints a list of what each gave: {"status", "headers", "text"}, or
// {"refused": TEXT} where the browser lets the page read nothing.
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const [executablePath, origin] = process.argv.slice(2);
const requests = JSON.parse(readFileSync(0, "utf8"));
const browser = await chromium.launch({
  executablePath,
  // The page stands for one of the Internet, and the server for one that is there too.
  args: ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks"],
});
const page = await browser.newPage();
await page.route(`${origin}/**`, (route) =>
  route.fulfill({ contentType: "text/html", body: "<title>app</title>" }),
);
await page.goto(`${origin}/`);
const gave = await page.evaluate(async (asked) => {
  const gave = [];
  for (const { url, ...request } of asked) {
    try {
      const response = await fetch(url, request);
      const headers = Object.fromEntries(response.headers);
      gave.push({ status: response.status, headers, text: await response.text() });
    } catch (error) {
      gave.push({ refused: String(error) });
    }
  }
  return gave;
}, requests);
console.log(JSON.stringify(gave));
await browser.close();

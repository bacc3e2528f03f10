// The web page of the Inspector in headless Chromium, and its user.
// Usage: inspector_web.mjs CHROMIUM PAGE. PAGE connects by itself. Each line of the input is a step:
//   {"do": "open"}                                           connects, and shows the tools
//   {"do": "call", "tool": NAME, "arguments": {…}, "see": TEXT}
//   {"do": "authorize"}                                      agrees to what it asks
// The answer is what the user sees once TEXT is there, or after a while: {"seen": BOOL, "text": TEXT}.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const STEP_MILLISECONDS = 45_000;

const [executablePath, url] = process.argv.slice(2);
// As root there is no sandbox, and nothing but the Inspector's page is opened.
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const page = await browser.newPage();
page.setDefaultTimeout(STEP_MILLISECONDS);

async function step(act) {
  let seen = true;
  try {
    await act();
  } catch (error) {
    console.error(error);
    seen = false;
  }
  const text = await page.locator("body").innerText();
  console.log(JSON.stringify({ seen, text }));
}

const text = (shown) => page.getByText(shown, { exact: true }).first();
const button = (name) => page.getByRole("button", { name, exact: true });

// Waits for the connection, and goes to the tools.
async function connected() {
  await text("Connected").waitFor();
  await text("Tools").click();
  await button("get_note").waitFor();
}

const steps = {
  open: async () => {
    await page.goto(url);
    await connected();
  },
  call: async ({ tool, arguments: given, see }) => {
    // By way of another tool, or the result of an earlier call stays in the place of the form.
    await button("list_notes").click();
    await button(tool).click();
    for (const [name, value] of Object.entries(given)) {
      await page.getByLabel(new RegExp(`^${name}( |$)`)).fill(value);
    }
    await button("Execute Tool").click();
    await page.getByText(see).first().waitFor();
  },
  authorize: async () => {
    await button("Authorize").click();
    await button("Authorize").waitFor({ state: "detached" });
    await connected();
  },
};
for await (const line of createInterface({ input: process.stdin })) {
  const next = JSON.parse(line);
  await step(() => steps[next.do](next));
}
await browser.close();

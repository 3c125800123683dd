// Visits the status page of the gateway at the URL given, with the admin key in AIGW_UI_KEY, as a person would. It ends with
// 1 and what is wrong if anything is. playwright-core and axe-core are in AIGW_UI_MODULES; the browser is AIGW_UI_BROWSER.
import { createRequire } from "node:module";
import { readFileSync, mkdirSync } from "node:fs";
import assert from "node:assert/strict";

const require = createRequire(process.env.AIGW_UI_MODULES + "/");
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const base = process.argv[2];
const key = process.env.AIGW_UI_KEY;
const screenshots = process.env.AIGW_UI_SCREENSHOTS;
const patient = 120_000; // ms for what a model computes on a busy machine

const browser = await chromium.launch({ executablePath: process.env.AIGW_UI_BROWSER, args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"] });

// visit opens a page that asks nobody else, and on which nothing goes wrong unseen.
async function visit(options) {
  const context = await browser.newContext(options);
  const wrong = [];
  await context.route("**/*", (route) => {
    const url = route.request().url();
    if (new URL(url).origin === base) return route.continue();
    wrong.push("asks " + url);
    return route.abort();
  });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (e) => wrong.push("script: " + e));
  page.on("response", (r) => r.status() >= 400 && !page.expected?.includes(r.status()) && wrong.push(`${r.status()} ${r.url()}`));
  // What the policy forbids is said on the console; so are answers, which are looked at above.
  page.on("console", (m) => m.type() === "error" && !m.text().startsWith("Failed to load resource") && wrong.push("console: " + m.text()));
  page.wrong = wrong;
  return page;
}

async function signIn(page) {
  await page.goto(base + "/ui");
  await page.getByLabel("Admin key").fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Status", level: 1 }).waitFor();
}

async function leave(page) {
  assert.deepEqual(page.wrong, []);
  await page.context().close();
}

const addresses = ["/ui", "/ui/connection", "/ui/docs", "/ui/playground"];

// look sees that nothing hangs over the side, and what axe-core finds.
async function look(page, name, withAxe) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(over <= 0, `${name}: ${over} px hang over the side`);
  if (screenshots) {
    mkdirSync(screenshots, { recursive: true });
    await page.screenshot({ path: `${screenshots}/${name.replaceAll(/[^a-z0-9]+/g, "-")}.png`, fullPage: true });
  }
  if (!withAxe) return;
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const found = violations.filter((v) => ["moderate", "serious", "critical"].includes(v.impact));
  assert.deepEqual(found.map((v) => `${v.id} (${v.impact}): ${v.nodes.map((n) => n.html).join(" ")}`), [], name);
}

const tests = {
  async "a wrong key is refused, and the right one opens the page"() {
    const page = await visit({});
    page.expected = [401];
    await page.goto(base + "/ui");
    assert.equal(new URL(page.url()).pathname, "/ui/signin");
    await page.getByLabel("Admin key").fill("sk-aigw-wrong");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").waitFor();
    await signIn(page);
    assert.equal(await page.evaluate(() => document.cookie), "", "scripts see the cookie");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Admin key").waitFor();
    await leave(page);
  },

  async "facts are there without scripts"() {
    const page = await visit({ javaScriptEnabled: false });
    await signIn(page);
    const text = await page.locator("main").innerText();
    for (const want of ["smol", "weights", "KV cache", "Prefix tree", "Steps", "All models answer"]) assert.ok(text.includes(want), `no ${want} in ${text}`);
    await page.goto(base + "/ui/connection");
    assert.ok((await page.locator("main").innerText()).includes("AI_GATEWAY_URL=" + base));
    await leave(page);
  },

  async "the page is kept up to date, and charts are drawn"() {
    const page = await visit({});
    await signIn(page);
    await page.waitForResponse((r) => r.url().includes("/ui/live") && r.ok());
    await page.waitForFunction(() => document.querySelectorAll(".chart svg line").length >= 6);
    await page.getByLabel("Requests of the class").selectOption("chat");
    await page.waitForFunction(() => document.querySelector("#hour caption").textContent.startsWith("chat"));
    await page.evaluate(() => (document.querySelector("#now dd").textContent = "old"));
    await page.waitForFunction(() => document.querySelector("#now dd").textContent !== "old");
    await leave(page);
  },

  async "the keyboard is enough"() {
    const page = await visit({});
    await signIn(page);
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    for (const name of ["Status", "Connection", "Documentation"]) {
      await page.keyboard.press("Tab");
      assert.equal(await page.evaluate(() => document.activeElement.textContent), name);
    }
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Documentation", level: 1 }).waitFor();
    await leave(page);
  },

  async "the search finds"() {
    const page = await visit({});
    await signIn(page);
    await page.getByRole("link", { name: "Documentation" }).click();
    await page.getByRole("searchbox").fill("How does an administrator see whether GitLab is connected with TLS?");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Found" }).waitFor();
    const found = await page.locator(".found li").allInnerTexts();
    assert.ok(found.length >= 3 && found.some((t) => t.includes("TLS")), found.join("\n"));
    await look(page, "found 1280 light", true);
    await leave(page);
  },

  async "the playground completes and answers"() {
    const page = await visit({});
    await signIn(page);
    await page.getByRole("link", { name: "Playground" }).click();
    const code = page.locator("#code"), before = await code.inputValue();
    await page.getByRole("button", { name: "Complete at the cursor" }).click();
    await page.locator("#editor-status", { hasText: "characters; the first after" }).waitFor({ timeout: patient });
    const after = await code.inputValue(), at = before.indexOf("    \n") + 4;
    assert.ok(after.length > before.length && after.startsWith(before.slice(0, at)) && after.endsWith(before.slice(at)), after);
    await page.keyboard.press("Escape");
    assert.equal(await code.inputValue(), before);

    await page.getByLabel("Question").fill("How does an administrator see the status page?");
    await page.keyboard.press("Control+Enter");
    await page.waitForFunction(() => document.getElementById("answer").textContent.length > 0, undefined, { timeout: patient });
    await page.locator("#ask:not(:disabled)").waitFor({ timeout: patient });
    assert.match(await page.locator("#ask-status").innerText(), /^smol answers from [123] excerpts\.$/);
    assert.ok((await page.locator("#answer-sources li").count()) > 0);
    await look(page, "answered 1280 light", true);
    await leave(page);
  },

  // After the playground, so that there is something to see.
  async "pages fit, and can be read by everybody"() {
    for (const colorScheme of ["light", "dark"]) {
      const page = await visit({ colorScheme });
      await page.goto(base + "/ui/signin");
      await look(page, `signin 1280 ${colorScheme}`, true);
      await signIn(page);
      for (const width of [1280, 360]) {
        await page.setViewportSize({ width, height: 800 });
        for (const address of addresses) {
          await page.goto(base + address);
          for (const d of await page.locator("details").all()) await d.evaluate((e) => (e.open = true));
          await look(page, `${address.slice(1)} ${width} ${colorScheme}`, width === 1280 || colorScheme === "light");
        }
      }
      const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number)[0]);
      assert.equal(ground < 128, colorScheme === "dark", `the ground is ${ground} in the ${colorScheme} scheme`);
      await leave(page);
    }
  },
};

let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  const began = Date.now();
  try {
    await test();
    console.log(`ok   ${name} (${Date.now() - began} ms)`);
  } catch (e) {
    failed++;
    console.log(`FAIL ${name}: ${e.message}`);
  }
}
await browser.close();
process.exit(failed === 0 ? 0 : 1);

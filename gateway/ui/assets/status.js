// Has the parts of the status page that change written anew, every two seconds while somebody sees the page.
import { draw } from "/ui/assets/chart.js";

const every = 2000; // ms
const notice = document.getElementById("notice");
const chosen = document.getElementById("class");
let timer, asking;

function say(text) {
  notice.textContent = text;
  notice.hidden = text === "";
}

// The browser's own parser of documents makes elements of the answer: no script turns text into elements.
function ask() {
  clearTimeout(timer);
  if (document.hidden || asking) return;
  asking = new XMLHttpRequest();
  asking.responseType = "document";
  asking.timeout = 10000;
  asking.open("GET", "/ui/live?class=" + encodeURIComponent(chosen.value));
  asking.onload = () => {
    const r = asking;
    asking = null;
    let wait = every;
    if (r.status === 200 && r.responseXML) {
      say("");
      take(r.responseXML);
    } else if (r.status === 401) {
      location.assign("/ui/signin");
      return;
    } else if (r.status === 429) {
      wait = 1000 * (Number(r.getResponseHeader("Retry-After")) || 5);
      say("Too many of these pages are open: this one is updated less often.");
    } else {
      say("The server answers " + r.status + ".");
    }
    timer = setTimeout(ask, wait);
  };
  asking.onerror = asking.ontimeout = () => {
    asking = null;
    say("The server does not answer; what is shown is old.");
    timer = setTimeout(ask, 2 * every);
  };
  asking.send();
}

function take(doc) {
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = doc.getElementById(old.id);
    if (!now || now.isEqualNode(old.cloneNode(false)) || now.innerHTML === old.innerHTML) continue;
    old.replaceChildren(...Array.from(now.childNodes, (n) => document.importNode(n, true)));
  }
  drawAll();
}

function drawAll() {
  const table = document.querySelector("#hour table");
  for (const at of document.querySelectorAll("[data-chart]")) draw(at, table, at.dataset.chart.split(",").map(Number));
}

chosen.addEventListener("change", ask);
document.getElementById("class-form").addEventListener("submit", (e) => {
  e.preventDefault();
  ask();
});
document.addEventListener("visibilitychange", ask);
new ResizeObserver(drawAll).observe(document.querySelector(".charts"));
drawAll();
timer = setTimeout(ask, every);

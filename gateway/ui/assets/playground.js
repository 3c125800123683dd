// The playground: an editor that is completed as GitLab's editors are, and questions to the documentation.
const csrf = document.querySelector("meta[name=csrf]").content;
const byId = (id) => document.getElementById(id);

// refusal reads why the server has refused.
async function refusal(response) {
  if (response.status === 401) location.assign("/ui/signin");
  try {
    const detail = (await response.json()).detail;
    return typeof detail === "string" ? detail : "It was not understood.";
  } catch {
    return "The server answers " + response.status + ".";
  }
}

// pieces hands on a streamed answer as it comes.
async function pieces(response, take) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    take(value);
  }
}

const code = byId("code");
let before; // the text and the cursor, as they were before the last completion
let going; // what is being completed; it can be aborted

// Until somebody has put the cursor elsewhere it stands where the example wants a body.
const start = code.value.indexOf("    \n") + 4;
code.setSelectionRange(start, start);

async function complete() {
  going?.abort();
  const mine = (going = new AbortController());
  const at = code.selectionStart, above = code.value.slice(0, at), below = code.value.slice(code.selectionEnd);
  const status = byId("editor-status"), began = performance.now();
  before = { text: code.value, from: at, to: code.selectionEnd };
  status.textContent = "The model reads …";
  let text = "", first;
  try {
    const response = await fetch("/ui/complete", {
      method: "POST",
      signal: mine.signal,
      headers: { "Content-Type": "application/json", "X-Csrf-Token": csrf },
      body: JSON.stringify({
        prompt_version: 1, project_path: "playground", project_id: 0, stream: true, telemetry: [],
        current_file: { file_name: byId("file").value || "example", content_above_cursor: above, content_below_cursor: below },
      }),
    });
    if (!response.ok) {
      status.textContent = await refusal(response);
      return;
    }
    await pieces(response, (piece) => {
      first ??= performance.now();
      text += piece;
      code.value = above + text + below;
      code.setSelectionRange(at, at + text.length);
    });
    const ms = (t) => Math.round(t - began) + " ms";
    status.textContent = text === "" ? "The model suggests nothing here." : `${text.length} characters; the first after ${ms(first)}, all after ${ms(performance.now())}.`;
  } catch (e) {
    if (!mine.signal.aborted) status.textContent = "The answer broke off: " + e.message;
  }
  code.focus();
}

function undo() {
  going?.abort();
  if (!before) return;
  code.value = before.text;
  code.setSelectionRange(before.from, before.to);
  before = undefined;
  byId("editor-status").textContent = "Taken back.";
}

code.addEventListener("keydown", (e) => {
  if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) {
    e.preventDefault();
    complete();
  } else if (e.key === "Escape") {
    undo();
  }
});
code.addEventListener("input", () => (before = undefined));
byId("editor-form").addEventListener("submit", (e) => {
  e.preventDefault();
  complete();
});

function showSources(list) {
  byId("answer-sources").replaceChildren(
    ...list.map((s) => {
      const item = document.createElement("li");
      const shown = document.createElement(s.url ? "a" : "span");
      shown.textContent = s.title || s.page;
      if (s.url) {
        shown.href = s.url;
        shown.rel = "noreferrer noopener";
      }
      item.append(shown);
      return item;
    }),
  );
}

async function ask() {
  const status = byId("ask-status"), answer = byId("answer"), button = byId("ask");
  answer.textContent = "";
  showSources([]);
  status.textContent = "The documentation is searched and read …";
  button.disabled = true;
  let rest = "", whole = false;
  try {
    const response = await fetch("/ui/ask", {
      method: "POST",
      headers: { "X-Csrf-Token": csrf },
      body: new URLSearchParams({ question: byId("question").value }),
    });
    if (!response.ok) {
      status.textContent = await refusal(response);
      return;
    }
    await pieces(response, (piece) => {
      const lines = (rest + piece).split("\n");
      rest = lines.pop();
      for (const line of lines.filter((l) => l !== "")) {
        const part = JSON.parse(line);
        if (part.sources) {
          showSources(part.sources);
          status.textContent = part.model + " answers from " + part.sources.length + " excerpts.";
        }
        if (part.text) answer.append(part.text);
        whole ||= Boolean(part.end);
      }
    });
    if (!whole) status.textContent = "The answer broke off.";
  } catch (e) {
    status.textContent = "The answer broke off: " + e.message;
  } finally {
    button.disabled = false;
  }
}

byId("question").addEventListener("keydown", (e) => {
  if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) {
    e.preventDefault();
    ask();
  }
});
byId("ask-form").addEventListener("submit", (e) => {
  e.preventDefault();
  ask();
});

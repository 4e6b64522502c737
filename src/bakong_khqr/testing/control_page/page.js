// The control page: asks for the simulator's state once a second and posts what a person does. Texts from the simulator
// only ever become text nodes, never markup. Amounts stay texts.
"use strict";

const $ = (id) => document.getElementById(id);

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

const time = (ms) => new Date(ms).toLocaleTimeString("en-GB");

function say(message, kind) {
  $("status").textContent = message;
  $("status").className = kind;
}

async function call(method, name, body) {
  const answer = await fetch(`/_simulator/${name}`, {
    method,
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}

async function act(name, body, done) {
  try {
    const result = await call("POST", name, body);
    say(done, "good");
    await refresh();
    return result;
  } catch (error) {
    say(error.message, "bad");
    return null;
  }
}

// ---------------------------------------------------------------- paying

const code = () => $("code").value.trim();
const isMd5 = (text) => /^[0-9a-f]{32}$/.test(text);

// What isn't a number goes out as it was typed: the simulator says what it may be.
const asNumber = (text) => (Number.isFinite(Number(text)) ? Number(text) : text);

function filled(form, numbers = []) {
  const members = {};
  for (const [name, value] of new FormData(form)) {
    const text = value.trim();
    if (text === "") continue;
    members[name] = numbers.includes(name) ? asNumber(text) : text;
  }
  return members;
}

$("pay").addEventListener("submit", async (event) => {
  event.preventDefault();
  const action = event.submitter?.value === "fail" ? "fail" : "pay";
  const members = filled(event.target, ["visible_after_seconds"]);
  members[isMd5(code()) ? "md5" : "qr"] = code();
  const paid = await act(action, members, action === "pay" ? "Paid." : "The payer's payment failed.");
  if (paid && action === "pay") say(`Paid ${paid.amount} ${paid.currency} to ${paid.to_account_id}`, "good");
});

async function describe() {
  const box = $("scanned");
  box.hidden = code() === "" || isMd5(code());
  if (box.hidden) return;
  try {
    const scanned = await call("POST", "scan", { qr: code() });
    const rows = [
      ["Merchant", scanned.merchant_name],
      ["Account", scanned.to_account_id],
      ["Amount", scanned.amount === null ? `the payer types it in (${scanned.currency})` : `${scanned.amount} ${scanned.currency}`],
      ["Kind", scanned.is_static ? "static" : "dynamic"],
      ["MD5", scanned.md5],
    ];
    box.className = "";
    box.replaceChildren(...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value ?? ""))]));
  } catch (error) {
    box.className = "bad";
    box.replaceChildren(element("dt", {}, "Refused"), element("dd", {}, error.message));
  }
}
$("code").addEventListener("input", describe);

async function scan() {
  const video = $("camera");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    video.srcObject = stream;
    video.hidden = false;
    await video.play();
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    for (const until = Date.now() + 60_000; Date.now() < until; ) {
      const [found] = await detector.detect(video);
      if (found) {
        $("code").value = found.rawValue;
        await describe();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    say("No code seen within a minute.", "bad");
  } catch (error) {
    say(`The camera can't be used: ${error.message}`, "bad");
  } finally {
    stream?.getTracks().forEach((track) => track.stop());
    video.hidden = true;
  }
}
if ("BarcodeDetector" in window && navigator.mediaDevices) {
  $("scan").hidden = false;
  $("scan").addEventListener("click", scan);
}

// ---------------------------------------------------------------- breaking, time, switches

$("break").addEventListener("submit", (event) => {
  event.preventDefault();
  const members = filled(event.target, ["times", "status", "error_code", "seconds"]);
  if (!("times" in members)) members.times = null;
  act("faults", members, "The fault waits for a call.");
});
$("mend").addEventListener("click", () => act("clear_faults", {}, "Nothing will go wrong."));
$("reset").addEventListener("click", () => act("reset", {}, "Everything is as at the start."));
$("clock").addEventListener("click", (event) => {
  const seconds = event.target.closest("button")?.dataset.seconds;
  if (seconds === undefined) return;
  act("clock", seconds === "0" ? { offset_seconds: 0 } : { advance_seconds: Number(seconds) }, "The clock was moved.");
});

function switchControl(state) {
  let control;
  let read;
  if (typeof state.value === "boolean") {
    control = element("input", { type: "checkbox", checked: state.value });
    read = () => control.checked;
  } else if (state.choices.length) {
    control = element("select", {}, ...state.choices.map((choice) => element("option", {}, choice)));
    control.value = state.value;
    read = () => control.value;
  } else {
    control = element("input", { value: state.value ?? "", placeholder: state.rule });
    const isText = typeof state.value === "string";
    read = () => (control.value.trim() === "" ? null : isText ? control.value : asNumber(control.value.trim()));
  }
  control.addEventListener("change", async () => {
    await act("switches", { [state.name]: read() }, `${state.name} is set.`);
    shown.switches = "";
  });
  const guess = state.guess ? element("span", { className: "guess", title: "Nobody knows what the live service does" }, "guess") : null;
  return element("label", {}, element("span", {}, element("code", {}, state.name), guess), control, element("small", {}, state.says));
}

// ---------------------------------------------------------------- showing

const shown = {};

function show(name, content, draw) {
  const text = JSON.stringify(content);
  if (shown[name] === text) return; // what hasn't changed keeps its focus and its place
  shown[name] = text;
  draw(content);
}

const cell = (text, className = "") => element("td", { className }, text === null ? "–" : String(text));

function draw(state) {
  const offset = state.offset_seconds === 0 ? "" : ` (${state.offset_seconds > 0 ? "+" : ""}${state.offset_seconds} s)`;
  $("now").textContent = new Date(state.now_ms).toISOString().replace("T", " ").slice(0, 19) + " UTC" + offset;
  show("kinds", state.fault_kinds, (kinds) => $("break").kind.replaceChildren(...kinds.map((kind) => element("option", {}, kind))));
  show("endpoints", state.endpoints, (names) => $("break").endpoint.append(...names.map((name) => element("option", {}, name))));
  show("faults", state.faults, (faults) => $("faults").replaceChildren(...faults.map(({ kind, left, times, ...details }) =>
    element("li", {}, `${kind}, ${left === null ? "every call" : `${left} more`} ${Object.keys(details).length ? JSON.stringify(details) : ""}`))));
  if (!$("switches").contains(document.activeElement) || document.activeElement.type === "checkbox")
    show("switches", state.switches, (switches) => $("switches").replaceChildren(...switches.map(switchControl)));
  const total = Object.values(state.calls).reduce((sum, count) => sum + count, 0);
  $("counts").textContent = `${total} so far, ${state.calls_today} counted towards today's quota`;
  show("calls", state.requests, (calls) => $("calls").replaceChildren(...calls.map((made) => element("tr", {},
    cell(time(made.at_ms)), cell(made.path.replace("/v1/", "")), cell(made.body.slice(0, 200), "long"),
    cell(made.status, made.status === 200 ? "" : "bad"), cell(made.error_code), cell(made.fault, made.fault ? "bad" : "")))));
  show("payments", state.payments, (payments) => $("payments").replaceChildren(...payments.map((payment) => element("tr", {},
    cell(time(payment.created_at_ms)), cell(payment.to_account_id), cell(`${payment.amount} ${payment.currency}`),
    cell(payment.md5), cell(payment.hash.slice(0, 8)), cell(payment.failed ? "failed" : "paid", payment.failed ? "bad" : "good")))));
  show("outbox", state.outbox, (mails) => $("outbox").replaceChildren(...mails.map((mail) =>
    element("li", {}, `Mail to ${mail.email}: code `, element("code", {}, mail.code)))));
}

let connected = false;
async function refresh() {
  try {
    draw(await call("GET", "state"));
    if (!connected) say("Ready.", "good");
    connected = true;
  } catch (error) {
    connected = false;
    say(`The simulator doesn't answer: ${error.message}`, "bad");
  }
}

refresh();
setInterval(() => document.hidden || refresh(), 1000);

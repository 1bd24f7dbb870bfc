// SvgView in the browser: shows the parts of the current step and moves between steps.
// Markup comes escaped from Python; text is set as text. No request leaves this file.

const SVG = "http://www.w3.org/2000/svg";

function make(tag, attributes = {}, parent = null, text = "") {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

function render({ model, el }) {
  const stop = new AbortController();
  const on = (target, name, handler) => target.addEventListener(name, handler, { signal: stop.signal });
  const focusable = { "data-lm-suppress-shortcuts": "true" };
  const last = model.get("frames").length; // steps count from 1
  const root = make("div", { class: "agl agl-view" }, el);

  const header = make("div", { class: "agl-header" }, root);
  make("span", { class: "agl-name" }, header, model.get("title"));
  make("code", {}, header, model.get("expression"));
  make("code", { class: "agl-call" }, header, model.get("call"));
  make("span", { class: "agl-tag" }, header, model.get("tag"));

  const body = make("div", { class: "agl-body" }, root);
  const stage = make("div", { class: "agl-stage" }, body);
  const panel = make("div", { class: "agl-panel" }, body);
  const [width, height] = model.get("view");
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.style.maxWidth = `${width}px`;
  for (const [name, value] of Object.entries({ ...focusable, tabindex: 0, role: "group" })) svg.setAttribute(name, value);
  svg.setAttribute("aria-label", `${model.get("title")}: arrows move between nodes, Enter selects, b sets a breakpoint`);
  stage.append(svg);

  const groups = model.get("order").map(([key, x, y]) => {
    const group = document.createElementNS(SVG, "g");
    if (x !== null) group.setAttribute("transform", `translate(${x} ${y})`);
    if (key) group.dataset.key = key;
    svg.append(group);
    return group;
  });
  const overlays = {};
  for (const [key, label, x, y] of model.get("targets")) {
    const group = document.createElementNS(SVG, "g");
    group.setAttribute("transform", `translate(${x} ${y})`);
    group.setAttribute("class", "agl-overlay");
    group.innerHTML = model.get("overlays")[key]; // escaped in Python
    svg.append(group);
    overlays[key] = group;
  }
  const shown = groups.map(() => -1);

  const transport = make("div", { class: "agl-transport" }, root);
  const buttons = make("div", { class: "agl-buttons" }, transport);
  const button = (label, sign, action) => {
    const b = make("button", { ...focusable, "aria-label": label, title: label, type: "button" }, buttons);
    if (sign.startsWith("M")) {
      const icon = document.createElementNS(SVG, "svg");
      icon.setAttribute("viewBox", "0 0 16 16");
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("d", sign);
      icon.append(path);
      b.append(icon);
    } else b.textContent = sign;
    on(b, "click", action);
    return b;
  };
  const go = (step) => {
    model.set("step", Math.max(1, Math.min(last, step)));
    model.save_changes();
  };
  button("first step", "M3 3h2v10H3zM14 3v10L6 8z", () => go(1));
  button("step back", "M12 3v10L4 8z", () => go(model.get("step") - 1));
  button("step forward", "M4 3v10l8-5z", () => go(model.get("step") + 1));
  button("last step", "M2 3v10l8-5zM11 3h2v10h-2z", () => go(last));
  const play = button("play", "Play", () => {
    if (!model.get("playing") && model.get("step") === last) go(1);
    model.set("playing", !model.get("playing"));
    model.save_changes();
  });
  play.classList.add("agl-word");

  const scrubber = make("div", {
    ...focusable, class: "agl-scrubber", role: "slider", tabindex: 0, "aria-label": "step",
    "aria-valuemin": 1, "aria-valuemax": last,
  }, transport);
  const share = (step) => (last > 1 ? (100 * (step - 1)) / (last - 1) : 0);
  const track = make("div", { class: "agl-track" }, scrubber);
  const done = make("div", { class: "agl-filled" }, track);
  const few = last <= 24;
  const dots = model.get("stops").map((name, i) => {
    const dot = make("div", { class: "agl-stop" }, track);
    dot.style.left = `${share(i + 1)}%`;
    make("i", {}, dot);
    if (few) make("span", {}, dot, name);
    return dot;
  });
  const counter = make("div", { class: "agl-counter" }, transport);
  const count = make("b", {}, counter);
  counter.append(` / ${last}`);
  const sentence = make("div", { class: "agl-sentence", "aria-live": "polite" }, root);

  let timer = 0;
  let focus = model.get("targets").length ? model.get("targets").at(-1)[0] : "";

  function show() {
    const step = model.get("step");
    const frame = model.get("frames")[step - 1];
    const variants = model.get("variants");
    frame.forEach((form, i) => {
      if (shown[i] === form) return;
      groups[i].innerHTML = variants[i][form]; // escaped in Python
      shown[i] = form;
    });
    panel.innerHTML = model.get("panels")[step - 1]; // escaped in Python
    const [start, ...rest] = model.get("sentences")[step - 1].split(". ");
    sentence.replaceChildren(make("b", {}, null, rest.length ? `${start}. ` : start), rest.join(". "));
    count.textContent = step;
    done.style.width = `${share(step)}%`;
    dots.forEach((dot, i) => {
      dot.className = `agl-stop ${i + 1 < step ? "agl-past" : i + 1 === step ? "agl-now" : "agl-ahead"}`;
    });
    scrubber.setAttribute("aria-valuenow", step);
    scrubber.setAttribute("aria-valuetext", `${step} of ${last}: ${model.get("stops")[step - 1]}`);
    marks();
  }

  function marks() {
    const breakpoints = model.get("breakpoints");
    for (const [key, group] of Object.entries(overlays)) {
      group.classList.toggle("agl-has-break", breakpoints.includes(key));
      group.classList.toggle("agl-has-corners", model.get("selected") === key);
      group.classList.toggle("agl-has-focus", key === focus && svg.matches(":focus-visible"));
    }
  }

  function select(key) {
    focus = key;
    model.set("selected", model.get("selected") === key ? "" : key);
    model.save_changes();
    marks();
  }

  function tick() {
    clearInterval(timer);
    play.textContent = model.get("playing") ? "Pause" : "Play";
    play.setAttribute("aria-label", model.get("playing") ? "pause" : "play");
    if (!model.get("playing")) return;
    timer = setInterval(() => {
      go(model.get("step") + 1);
      const key = running(model.get("step"));
      if (model.get("step") === last || model.get("breakpoints").includes(key)) {
        model.set("playing", false);
        model.save_changes();
      }
    }, 900);
  }
  const running = (step) => model.get("steps_keys")[step - 1];

  on(scrubber, "keydown", (event) => {
    const moves = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 };
    if (event.key in moves) go(model.get("step") + moves[event.key]);
    else if (event.key === "Home") go(1);
    else if (event.key === "End") go(last);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  const point = (event) => {
    const box = track.getBoundingClientRect();
    go(1 + Math.round(((event.clientX - box.left) / box.width) * (last - 1)));
  };
  on(scrubber, "pointerdown", (event) => {
    scrubber.setPointerCapture(event.pointerId);
    point(event);
  });
  on(scrubber, "pointermove", (event) => event.buttons && point(event));

  on(svg, "click", (event) => {
    const key = event.target.closest("[data-key]")?.dataset.key;
    if (key) select(key);
  });
  on(svg, "focus", marks);
  on(svg, "blur", marks);
  on(svg, "keydown", (event) => {
    const keys = model.get("targets");
    const here = keys.find(([key]) => key === focus);
    const towards = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    if (towards && here) {
      const [dx, dy] = towards;
      const near = keys
        .map((k) => ({ k, along: (k[2] - here[2]) * dx + (k[3] - here[3]) * dy,
          across: Math.abs((k[2] - here[2]) * dy) + Math.abs((k[3] - here[3]) * dx) }))
        .filter(({ along }) => along > 1)
        .sort((p, q) => p.along + 2 * p.across - q.along - 2 * q.across)[0];
      if (near) focus = near.k[0];
      marks();
    } else if (event.key === "Enter" || event.key === " ") select(focus);
    else if (event.key === "b") {
      const set = new Set(model.get("breakpoints"));
      if (!set.delete(focus)) set.add(focus);
      model.set("breakpoints", [...set]);
      model.save_changes();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });

  let width_before = 0;
  const narrow = new ResizeObserver(() => {
    if (root.clientWidth === width_before) return;
    width_before = root.clientWidth;
    root.classList.toggle("agl-narrow", width_before < 760);
    // Room for the longest panel, so that the buttons stay where they are from step to step.
    panel.style.minHeight = "";
    if (few) {
      const probe = panel.cloneNode();
      Object.assign(probe.style, { position: "absolute", visibility: "hidden", width: `${panel.clientWidth}px`, boxSizing: "border-box" });
      root.append(probe);
      const heights = model.get("panels").map((markup) => {
        probe.innerHTML = markup; // escaped in Python
        return probe.offsetHeight;
      });
      probe.remove();
      panel.style.minHeight = `${Math.max(...heights)}px`;
    }
  });
  narrow.observe(root);
  const watch = { "change:step": show, "change:breakpoints": marks, "change:selected": marks, "change:playing": tick };
  for (const [name, handler] of Object.entries(watch)) model.on(name, handler);
  show();
  tick();
  return () => {
    clearInterval(timer);
    narrow.disconnect();
    stop.abort();
    for (const [name, handler] of Object.entries(watch)) model.off(name, handler);
  };
}

export default { render };

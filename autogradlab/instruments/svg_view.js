// SvgView in the browser: shows the parts of the current step and moves between steps.
// Markup comes escaped from Python; text is set as text. No request leaves this file.

function make(tag, attributes = {}, parent = null, text = "") {
  const kind = /^(svg|g|path)$/.test(tag) ? "2000/svg" : "1999/xhtml";
  const element = document.createElementNS(`http://www.w3.org/${kind}`, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

// The only place where markup becomes elements: all of it was made, and escaped, in Python.
function place(element, markup) {
  element.innerHTML = markup;
}

const timers = new WeakMap(); // one for each model, however many views show it

function render({ model, el }) {
  const get = (name) => model.get(name);
  const stop = new AbortController();
  const on = (target, name, handler) => target.addEventListener(name, handler, { signal: stop.signal });
  const focusable = { "data-lm-suppress-shortcuts": "true" };
  const last = get("frames").length - 1; // steps count from 0, the start
  const root = make("div", { class: "agl agl-view" }, el);
  for (const word of get("look").split(" ").filter(Boolean)) root.classList.add(`agl-${word}`);

  const header = make("div", { class: "agl-header" }, root);
  make("span", { class: "agl-name" }, header, get("title"));
  const expression = make("code", {}, header);
  make("code", { class: "agl-call" }, header, get("call"));
  const tag = make("span", { class: "agl-tag" }, header);

  const body = make("div", { class: "agl-body" }, root);
  const stage = make("div", { class: "agl-stage" }, body);
  const panel = make("div", { class: "agl-panel" }, body);
  const svg = make("svg", { ...focusable, tabindex: 0, role: "group" });
  const stops = get("stops").length;
  const breaks = stops && get("steps_keys").some(Boolean) ? ", b sets a breakpoint" : "";
  const drags = get("drags");
  const keys = get("targets").length ? `: arrows move between nodes, Space selects, Enter opens or selects${breaks}` : stops ? ": arrows move between steps" : "";
  svg.setAttribute("aria-label", drags || get("title") + keys);
  stage.append(svg);
  const about = make("div", { class: "agl-about", "aria-live": "polite" }, stage);

  let width, frames, groups, shown, overlays, targets, focus;
  function draw() {
    const [w, height] = get("view");
    width = w;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    // A little smaller at most, so that no text gets too small to read: then the stage scrolls.
    Object.assign(svg.style, { maxWidth: `${width}px`, minWidth: `${0.92 * width}px` });
    frames = []; // for each step the form of every part
    for (const changes of get("frames")) {
      const frame = [...(frames.at(-1) ?? [])];
      for (const [part, form] of changes) frame[part] = form;
      frames.push(frame);
    }
    svg.replaceChildren();
    const group = (x, y) => make("g", x === null ? {} : { transform: `translate(${x} ${y})` }, svg);
    groups = get("order").map(([key, x, y]) => {
      const g = group(x, y);
      if (key) g.dataset.key = key;
      return g;
    });
    overlays = {};
    targets = new Map(get("targets").map(([key, ...rest]) => [key, rest]));
    for (const [key, [, x, y]] of targets) {
      overlays[key] = group(x, y);
      overlays[key].setAttribute("class", "agl-overlay");
      place(overlays[key], get("overlays")[key]);
    }
    shown = groups.map(() => -1);
    focus = targets.has(focus) ? focus : [...targets.keys()].at(-1);
  }
  draw();

  const transport = make("div", { class: "agl-transport" }, root);
  transport.hidden = !stops;
  const buttons = make("div", { class: "agl-buttons" }, transport);
  const button = (label, sign, action) => {
    const b = make("button", { ...focusable, "aria-label": label, title: label, type: "button" }, buttons);
    if (sign.startsWith("M")) make("path", { d: sign }, make("svg", { viewBox: "0 0 16 16" }, b));
    else b.textContent = sign;
    on(b, "click", action);
    return b;
  };
  const put = (name, value) => {
    model.set(name, value);
    model.save_changes();
  };
  const go = (step) => put("step", Math.max(0, Math.min(last, step)));
  const forward = () => {
    moving = get("step") < last && targets.size <= 50 && !calm.matches;
    go(get("step") + 1);
  };
  const stopAt = (key) => {
    if (!targets.has(key)) return;
    const set = new Set(get("breakpoints"));
    if (!set.delete(key)) set.add(key);
    put("breakpoints", [...set]);
  };
  button("start", "M3 3h2v10H3zM14 3v10L6 8z", () => go(0));
  button("step back", "M12 3v10L4 8z", () => go(get("step") - 1));
  button("step forward", "M4 3v10l8-5z", () => forward());
  button("last step", "M2 3v10l8-5zM11 3h2v10h-2z", () => go(last));
  const play = button("play", "Play", () => {
    if (!get("playing") && get("step") === last) go(0);
    put("playing", !get("playing"));
  });
  play.classList.add("agl-word");

  const scrubber = make("div", {
    ...focusable, class: "agl-scrubber", role: "slider", tabindex: 0, "aria-label": "step",
    "aria-valuemin": 0, "aria-valuemax": last,
  }, transport);
  const share = (step) => (last ? (100 * step) / last : 0);
  const track = make("div", { class: "agl-track" }, scrubber);
  const done = make("div", { class: "agl-filled" }, track);
  const few = last <= 24;
  const dots = get("stops").map((name, i) => {
    const dot = make("div", { class: "agl-stop" }, track);
    dot.style.left = `${share(i)}%`;
    make("i", {}, dot);
    make("span", {}, dot, name);
    return dot;
  });
  if (get("curve")) place(make("div", { class: "agl-curve" }, track), get("curve"));
  const held = make("div", { class: "agl-held-now" }, track);
  const counter = make("div", { class: "agl-counter" }, transport);
  const count = make("b", {}, counter);
  counter.append(` / ${last}`);
  const sentence = make("div", { class: "agl-sentence", "aria-live": "polite" }, root);

  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  let moving = false; // whether the next change is a step that may move

  function show() {
    const step = get("step");
    const variants = get("variants");
    frames[step].forEach((form, i) => {
      if (shown[i] === form) return;
      place(groups[i], variants[i][form]);
      shown[i] = form;
      if (moving) fill(groups[i]);
    });
    moving = false;
    const field = panel.contains(document.activeElement) && document.activeElement.name;
    place(panel, get("panels")[step] ?? "");
    if (field) {
      const next = panel.querySelector("[data-focus]") ?? panel.querySelector(`[name="${field}"]`);
      next?.focus();
      next?.select?.();
    }
    expression.textContent = get("expression");
    tag.textContent = get("tag");
    const [start, ...rest] = get("sentences")[step].split(". ");
    sentence.replaceChildren(make("b", {}, null, rest.length ? `${start}. ` : start), rest.join(". "));
    count.textContent = step;
    held.textContent = get("held")[step] ?? "";
    held.style.left = `${share(step)}%`;
    held.classList.toggle("agl-left", share(step) > 50);
    done.style.width = `${share(step)}%`;
    dots.forEach((dot, i) => {
      dot.className = `agl-stop ${i < step ? "agl-past" : i === step ? "agl-now" : "agl-ahead"}`;
    });
    scrubber.setAttribute("aria-valuenow", step);
    scrubber.setAttribute("aria-valuetext", `${step} of ${last}: ${get("stops")[step]}`);
    marks();
    follow(running(step));
  }

  // One step on: the new ribbons fill upward. Scrubbing and stepping back show the state at once.
  function fill(group) {
    const ribbon = group.querySelector(".agl-ribbon");
    const signs = group.querySelector(".agl-chevrons");
    if (!ribbon || !signs) return;
    const long = ribbon.getTotalLength();
    const dash = { strokeDasharray: `${long} ${long}` };
    const ease = { duration: 200, easing: "ease-out" };
    ribbon.animate([{ ...dash, strokeDashoffset: long }, { ...dash, strokeDashoffset: 0 }], ease);
    signs.animate([{ opacity: 0 }, { opacity: 1 }], ease);
  }

  function follow(key) {
    if (!targets.has(key) || !svg.clientWidth) return;
    const [, x, y] = targets.get(key);
    const scale = svg.clientWidth / width;
    const [left, top] = [x * scale + svg.offsetLeft, y * scale + svg.offsetTop];
    if (left < stage.scrollLeft + 80 || left > stage.scrollLeft + stage.clientWidth - 160)
      stage.scrollLeft = left - stage.clientWidth / 2;
    if (top < stage.scrollTop + 60 || top > stage.scrollTop + stage.clientHeight - 100)
      stage.scrollTop = top - stage.clientHeight / 2;
  }

  function tell(key) {
    about.textContent = targets.has(key) ? targets.get(key)[0] : "";
  }

  // What a step does not show, as an operation not yet recorded, is passed over.
  const there = (key) => groups.find((g) => g.dataset.key === key)?.firstChild !== null;

  function marks() {
    if (!there(focus)) focus = [...targets.keys()].filter(there).at(-1);
    const breakpoints = get("breakpoints");
    const seen = svg.matches(":focus-visible");
    tell(seen ? focus : get("selected"));
    dots.forEach((dot, i) => dot.classList.toggle("agl-break", halting(i)));
    for (const [key, group] of Object.entries(overlays)) {
      group.classList.toggle("agl-has-break", breakpoints.includes(key));
      const at = get("choices")[key];
      group.classList.toggle("agl-has-corners", at ? at === get("step") : get("selected") === key);
      group.classList.toggle("agl-has-focus", key === focus && seen);
    }
  }

  function select(key) {
    focus = key;
    const at = get("choices")[key];
    if (at) return go(at === get("step") ? 0 : at);
    put("selected", get("selected") === key ? "" : key);
    marks();
  }

  function tick() {
    clearInterval(timers.get(model));
    play.textContent = get("playing") ? "Pause" : "Play";
    play.setAttribute("aria-label", get("playing") ? "pause" : "play");
    if (!get("playing")) return;
    timers.set(model, setInterval(() => {
      forward();
      if (get("step") === last || halting(get("step"))) put("playing", false);
    }, get("pace")));
  }
  const running = (step) => get("steps_keys")[step];
  // A row of many nodes stops when the first of them runs.
  const halting = (step) => get("halts").includes(step)
    || (get("breakpoints").includes(running(step)) && running(step) !== running(step - 1));

  const scrub = (event) => {
    const moves = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10, Home: -last, End: last };
    if (event.key in moves) go(get("step") + moves[event.key]);
    else if (event.key === "b") stopAt(running(get("step")));
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  on(scrubber, "keydown", scrub);
  const point = (event) => {
    const box = track.getBoundingClientRect();
    return Math.round(((event.clientX - box.left) / box.width) * last);
  };
  on(scrubber, "pointerdown", (event) => {
    if (event.shiftKey || event.altKey || event.ctrlKey || event.metaKey) return stopAt(running(point(event)));
    scrubber.setPointerCapture(event.pointerId);
    go(point(event));
  });
  on(scrubber, "pointermove", (event) => scrubber.hasPointerCapture(event.pointerId) && go(point(event)));

  const under = (event, name) => event.target.closest(`[data-${name}]`)?.dataset[name];
  on(svg, "click", (event) => {
    const fold = under(event, "fold"), key = under(event, "key");
    if (fold) model.send({ fold });
    else if (key) select(key);
  });
  // A drawing may have places that stand for steps: press one, or turn over them as over a dial.
  const turn = (event) => event.buttons && under(event, "step") && go(+under(event, "step"));
  on(svg, "pointerdown", turn);
  on(svg, "pointermove", turn);
  // A drag sends places in the drawing, each when Python has drawn the one before it.
  let waiting = false;
  const drag = ({ type, target, pointerId, clientX, clientY }) => {
    if (type === "pointerdown" && target.closest("[data-drag]")) svg.setPointerCapture(pointerId);
    if (!svg.hasPointerCapture(pointerId) || (waiting && type === "pointermove")) return;
    const { left, top, width: wide } = svg.getBoundingClientRect();
    waiting = true;
    model.send({ drag: [clientX - left, clientY - top].map((px) => (px * width) / wide) });
  };
  for (const name of ["pointerdown", "pointermove", "pointerup"]) on(svg, name, drag);
  on(svg, "pointerover", (event) => {
    tell(under(event, "key") ?? (svg.matches(":focus-visible") ? focus : get("selected")));
  });
  on(svg, "focus", marks);
  on(svg, "blur", marks);
  // Up and down follow the edges, left and right go to the nearest node on that side.
  const beside = (way) => {
    const [, x, y, above, below] = targets.get(focus);
    const edges = { Up: above, Down: below }[way];
    const side = way === "Left" ? -1 : 1;
    const far = (key) => {
      const [, u, v] = targets.get(key);
      return Math.abs(u - x) + (edges ? 0 : 3 * Math.abs(v - y));
    };
    const near = edges ?? [...targets.keys()].filter((key) => side * (targets.get(key)[1] - x) > 1);
    return [...near].filter(there).sort((p, q) => far(p) - far(q))[0];
  };
  on(svg, "keydown", (event) => {
    const way = event.key.startsWith("Arrow") && event.key.slice(5);
    if (way && drags) model.send({ arrow: way });
    else if (!targets.size) scrub(event);
    else if (way) {
      focus = beside(way) ?? focus;
      follow(focus);
      marks();
    } else if (event.key === "Enter" || event.key === " ") {
      const fold = event.key === "Enter" && svg.querySelector(`[data-key="${focus}"] [data-fold]`);
      if (fold) model.send({ fold: fold.dataset.fold });
      else select(focus);
    }
    else if (event.key === "b" && breaks) stopAt(focus);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  // A form in the panel asks Python, which answers with new traits and a new revision.
  on(panel, "submit", (event) => {
    event.preventDefault();
    model.send({ ...Object.fromEntries(new FormData(event.target)), button: event.submitter.name });
  });
  // In JupyterLab Enter in a field does not submit its form by itself.
  on(panel, "keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("input")) return;
    event.preventDefault();
    event.stopPropagation();
    event.target.form.querySelector("button").click();
  });

  let width_before = 0;
  const narrow = new ResizeObserver(() => {
    if (root.clientWidth === width_before) return;
    width_before = root.clientWidth;
    root.classList.toggle("agl-narrow", width_before < 760);
    // Names on the scrubber only where they all fit; else that of the step shown.
    track.classList.remove("agl-crowded"); // what is hidden has no width
    const slot = track.clientWidth / last;
    const crowded = !few || dots.some((dot) => dot.querySelector("span").scrollWidth > slot - 4);
    track.classList.toggle("agl-crowded", crowded);
    track.classList.toggle("agl-many", !few);
    // Room for the longest panel, so that the buttons stay where they are from step to step.
    panel.style.minHeight = "";
    if (few && stops) {
      const probe = panel.cloneNode();
      Object.assign(probe.style, { position: "absolute", visibility: "hidden", width: `${panel.clientWidth}px`, boxSizing: "border-box" });
      root.append(probe);
      const heights = get("panels").map((markup) => {
        place(probe, markup);
        return probe.offsetHeight;
      });
      probe.remove();
      panel.style.minHeight = `${Math.max(...heights)}px`;
    }
    follow(running(get("step")));
  });
  narrow.observe(root);
  const again = () => {
    waiting = false;
    draw();
    show();
  };
  const watch = { "change:revision": again, "change:step": show, "change:breakpoints": marks, "change:halts": marks, "change:selected": marks, "change:playing": tick };
  for (const [name, handler] of Object.entries(watch)) model.on(name, handler);
  show();
  tick();
  return () => {
    clearInterval(timers.get(model));
    narrow.disconnect();
    stop.abort();
    for (const [name, handler] of Object.entries(watch)) model.off(name, handler);
  };
}

export default { render };

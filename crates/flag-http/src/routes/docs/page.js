// Draws the OpenAPI document and lets the reader send each request. Everything is built from text nodes, never from markup.
"use strict";

const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
};

const resolve = (api, schema) =>
  schema?.$ref ? api.components.schemas[schema.$ref.split("/").pop()] : schema;

// A body to begin with: the example of each member, or of its type.
const example = (api, schema) => {
  const shape = resolve(api, schema);
  const required = new Set(shape?.required ?? []);
  const body = {};
  for (const [name, member] of Object.entries(shape?.properties ?? {})) {
    if ("example" in member) body[name] = member.example;
    else if (required.has(name)) body[name] = [].concat(member.type).includes("boolean") ? true : "";
  }
  return JSON.stringify(body, null, 2);
};

const send = async (method, template, form, output) => {
  const query = new URLSearchParams();
  const body = form.querySelector("textarea")?.value;
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  let path = template;
  for (const input of form.querySelectorAll("input")) {
    if (input.dataset.in === "path") path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
    else if (input.value !== "" && input.dataset.in === "header") headers[input.name] = input.value;
    else if (input.value !== "") query.set(input.name, input.value);
  }
  const url = query.size ? `${path}?${query}` : path;
  output.hidden = false;
  try {
    const answer = await fetch(url, { method, headers, body });
    const text = await answer.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it is */ }
    const revision = answer.headers.get("flag-revision");
    output.textContent = `${method} ${url}\n${answer.status} ${answer.statusText}   Flag-Revision: ${revision}\n\n${shown}`;
  } catch (error) {
    output.textContent = `${method} ${url}\n${error}`;
  }
};

const route = (api, path, method, operation) => {
  const parameters = (operation.parameters ?? []).map((parameter) => {
    const label = parameter.description ? `${parameter.name}: ${parameter.description}` : parameter.name;
    const preset = parameter.in === "path" ? parameter.example ?? (parameter.name === "key" ? "new_dashboard" : "") : "";
    return element("label", {},
      element("span", { class: parameter.required ? "required" : "" }, label),
      element("input", { name: parameter.name, "data-in": parameter.in, value: preset, required: parameter.required }));
  });
  const schema = operation.requestBody?.content?.["application/json"]?.schema;
  const body = schema
    ? [element("label", {}, "body", element("textarea", { spellcheck: "false" }, example(api, schema)))]
    : [];
  const output = element("pre", { hidden: true });
  const form = element("form", {}, ...parameters, ...body, element("button", {}, "Send"), output);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(method.toUpperCase(), path, form, output);
  });
  return element("details", {},
    element("summary", {},
      element("span", { class: `method ${method}` }, method.toUpperCase()),
      element("code", {}, path),
      element("span", { class: "about" }, operation.summary ?? "")),
    form);
};

const draw = async () => {
  const routes = document.getElementById("routes");
  const answer = await fetch("/openapi.json");
  const api = await answer.json();
  document.getElementById("about").textContent = api.info.description;
  const groups = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? "other";
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(route(api, path, method, operation));
    }
  }
  routes.replaceChildren();
  for (const tag of ["features", "evaluation", "settings", "overrides", "log", "health"]) {
    if (groups.has(tag)) routes.append(element("h2", {}, tag), ...groups.get(tag));
  }
};

draw().catch((error) => { document.getElementById("routes").textContent = `The document cannot be loaded: ${error}`; });

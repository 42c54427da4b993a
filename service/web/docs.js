// Shows /openapi.json as a page.

function element(tag, text = "", ...children) {
  const block = document.createElement(tag);
  block.append(...(text ? [text] : []), ...children);
  return block;
}

function rows(entries) {
  const list = element("dl");
  for (const [name, ...facts] of entries) list.append(element("dt", "", element("code", name)), element("dd", "", ...facts));
  return list;
}

function kind(schema) {
  const chosen = (schema.anyOf ?? [schema]).find((each) => each.type !== "null") ?? schema;
  if (chosen.enum) return chosen.enum.join(", ");
  const { minimum, maximum } = chosen;
  const bounds = minimum === undefined ? "" : maximum === undefined ? ` from ${minimum}` : ` from ${minimum} to ${maximum}`;
  const preset = schema.default === undefined || schema.default === null ? "" : `, ${schema.default} by default`;
  return `${chosen.type ?? "object"}${bounds}${preset}`;
}

function section(title, entries) {
  return entries.length ? [element("h4", title), rows(entries)] : [];
}

function route(path, verb, facts) {
  const block = element("section");
  block.className = "route";
  const tag = element("span", verb.toUpperCase());
  tag.className = "verb";
  const parameters = (facts.parameters ?? []).map((each) => [each.name, element("em", kind(each.schema)), ` · ${each.description ?? ""}`]);
  const body = Object.keys(facts.requestBody?.content ?? {}).join(", ");
  const responses = Object.entries(facts.responses).map(([status, response]) => {
    const types = Object.keys(response.content ?? {}).join(", ");
    return [status, response.description, types && !types.includes("problem") ? ` · ${types}` : ""];
  });
  const headers = Object.entries(facts.responses["200"]?.headers ?? {}).map(([name, header]) => [name, header.description]);
  block.append(element("h3", "", tag, element("code", path), element("small", facts.summary ?? "")));
  for (const sample of facts["x-codeSamples"] ?? []) {
    block.append(element("pre", "", element("code", sample.source.replace(/'\w+:\/\/[^/]+/, `'${new URL(".", location).href.slice(0, -1)}`))));
  }
  if (facts.description) block.append(element("p", facts.description.replaceAll("`", "")));
  if (body) block.append(...section("Body", [[facts.requestBody.required ? "required" : "optional", facts.requestBody.description ?? "", ` · ${body}`]]));
  block.append(...section("Query", parameters), ...section("Responses", responses), ...section("Headers", headers));
  return block;
}

async function draw() {
  const response = await fetch("openapi.json");
  if (!response.ok) throw new Error(`status ${response.status}`);
  const description = await response.json();
  const routes = Object.entries(description.paths).flatMap(([path, verbs]) => Object.entries(verbs).map(([verb, facts]) => route(path, verb, facts)));
  document.getElementById("routes").replaceChildren(...routes);
  for (const [slug, text] of Object.entries(description.components.schemas.Problem["x-problems"])) {
    const name = element("dt", "", element("code", slug));
    name.id = slug;
    document.getElementById("problems").append(name, element("dd", text));
  }
  if (location.hash) location.replace(location.hash);
}

for (const place of document.querySelectorAll("[data-origin]")) place.textContent = location.origin;
draw().catch((error) => {
  document.getElementById("routes").textContent = `The description could not be read: ${error.message}.`;
});

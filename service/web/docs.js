// Draws /openapi.json as a page.

function element(tag, text = "", ...children) {
  const made = document.createElement(tag);
  made.append(...(text ? [text] : []), ...children);
  return made;
}

function rows(entries) {
  const list = element("dl");
  for (const [name, ...facts] of entries) list.append(element("dt", "", element("code", name)), element("dd", "", ...facts));
  return list;
}

function kind(schema) {
  const some = (schema.anyOf ?? [schema]).find((each) => each.type !== "null") ?? schema;
  if (some.enum) return some.enum.join(", ");
  const { minimum, maximum } = some;
  const bounds = minimum === undefined ? "" : maximum === undefined ? ` from ${minimum}` : ` from ${minimum} to ${maximum}`;
  const preset = schema.default === undefined || schema.default === null ? "" : `, ${schema.default} where none is given`;
  return `${some.type ?? "object"}${bounds}${preset}`;
}

function section(title, entries) {
  return entries.length ? [element("h4", title), rows(entries)] : [];
}

function route(path, verb, facts) {
  const made = element("section");
  made.className = "route";
  const tag = element("span", verb.toUpperCase());
  tag.className = "verb";
  const parameters = (facts.parameters ?? []).map((each) => [each.name, element("em", kind(each.schema)), ` · ${each.description ?? ""}`]);
  const body = Object.keys(facts.requestBody?.content ?? {}).join(", ");
  const answers = Object.entries(facts.responses).map(([status, answer]) => {
    const types = Object.keys(answer.content ?? {}).join(", ");
    return [status, answer.description, types && !types.includes("problem") ? ` · ${types}` : ""];
  });
  const headers = Object.entries(facts.responses["200"]?.headers ?? {}).map(([name, header]) => [name, header.description]);
  made.append(element("h3", "", tag, element("code", path), element("small", facts.summary ?? "")));
  for (const sample of facts["x-codeSamples"] ?? []) {
    made.append(element("pre", "", element("code", sample.source.replace(/'\w+:\/\/[^/]+/, `'${location.origin}`))));
  }
  if (facts.description) made.append(element("p", facts.description.replaceAll("`", "")));
  if (body) made.append(...section("Body", [[facts.requestBody.required ? "required" : "optional", facts.requestBody.description ?? "", ` · ${body}`]]));
  made.append(...section("Query", parameters), ...section("Answers", answers), ...section("Headers", headers));
  return made;
}

async function draw() {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const description = await answer.json();
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

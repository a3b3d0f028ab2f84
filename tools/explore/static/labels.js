"use strict";
// Labels that the network contradicts, as tools/explore/labels.py found them.
const LABELS_AT_ONCE = 24;

function startLabels(root, contents, pictures) {
  const find = selector => root.querySelector(selector), names = contents.classes;
  const all = Object.entries(contents.splits).flatMap(([split, { suspicious }]) => suspicious.map(row => [split, ...row]));
  // A spreadsheet would compute a name that begins like a formula.
  const quote = value => `"${(/^[=+@-]/.test(value) ? `'${value}` : value).replaceAll('"', '""')}"`;
  let shown = LABELS_AT_ONCE;

  function draw() {
    const name = find("[name=split]").value, rows = all.filter(([split]) => split === name);
    const present = rows.filter(([, number]) => pictures[name].has(number));
    find(".count").textContent = `${plural(rows.length, "label")} of ${count(contents.splits[name].actual.length)} ${name} images; ` +
      `confident learning, too, takes ${count(rows.filter(row => row.at(-1)).length)} of them for wrong` +
      pictures[name].describe(rows.map(([, number]) => number));
    find(".images").replaceChildren(...present.slice(0, shown).map(([split, number, , , sure, , isIssue]) => makeTile(contents, split, pictures[split], number, `its label: ${percent(sure)}`, ...(isIssue ? ["confident learning: wrong"] : []))));
    find(".more").hidden = present.length <= shown;
  }

  for (const name of Object.keys(contents.splits)) find("[name=split]").append(new Option(name, name));
  find("[name=split]").value = Object.keys(contents.splits).at(-1);
  find("[name=split]").addEventListener("input", () => { shown = LABELS_AT_ONCE; draw(); });
  find(".more").addEventListener("click", () => { shown += LABELS_AT_ONCE; draw(); });
  // Only images that were made of pictures have files.
  const hasFiles = Object.values(contents.splits).some(({ files }) => files);
  const lines = [["split", "image", ...(hasFiles ? ["file"] : []), "label", "likelier", "probability_of_label", "probability", "confident_learning"],
    ...all.map(([split, number, label, likelier, ...numbers]) => [split, number, ...(hasFiles ? [quote(contents.splits[split].files[number])] : []), quote(names[label]), quote(names[likelier]), ...numbers])];
  const text = lines.map(line => `${line.join(",")}\n`).join("");
  Object.assign(find("a[download]"), { download: `${contents.name}-labels.csv`, href: URL.createObjectURL(new Blob([text], { type: "text/csv" })) });
  draw();
}

// Writes ZIP files whose entries are stored as they are: pictures are compressed already.
// The format is that of APPNOTE.TXT, without ZIP64, so a file has at most 4 GiB and 65,535 entries.

import { checksum } from "./png.js";
import { Refused } from "./refused.js";

const LARGEST = 2 ** 32 - 1;
const MOST = 2 ** 16 - 1;
const VERSION = 20;
const UTF8 = 1 << 11; // the flag of names in UTF-8
const text = new TextEncoder();

// Returns a Blob with entries {name, blob}. Names that occur twice get numbers. Throws a Refused error if it would be too large.
export async function zip(entries, date = new Date()) {
  const names = uniqueNames(entries.map(({ name }) => name));
  const [parts, directory] = [[], []];
  let at = 0;
  for (const [k, { blob }] of entries.entries()) {
    const name = text.encode(names[k]);
    const sum = checksum([new Uint8Array(await blob.arrayBuffer())]);
    const facts = { name, sum, size: blob.size, date };
    const head = header(0x04034b50, facts, null);
    directory.push(header(0x02014b50, facts, at));
    parts.push(head, blob);
    at += head.length + blob.size;
    if (at > LARGEST || entries.length > MOST) throw new Refused("zip.large");
  }
  const length = directory.reduce((sum, each) => sum + each.length, 0);
  if (at + length > LARGEST) throw new Refused("zip.large");
  return new Blob([...parts, ...directory, end(entries.length, length, at)], { type: "application/zip" });
}

// Returns the names, with " (2)" and so on before the ending of one that was there before, whatever the case of its letters.
export function uniqueNames(names) {
  const taken = new Set(names.map((name) => name.toLowerCase()));
  const used = new Set();
  return names.map((name) => {
    let found = name;
    for (let number = 2; used.has(found.toLowerCase()); number++) {
      const other = name.replace(/(\.[^.]*)?$/, (ending) => ` (${number})${ending}`);
      if (!taken.has(other.toLowerCase())) found = other;
    }
    used.add(found.toLowerCase());
    return found;
  });
}

// Returns the header of an entry in front of it, or the one in the directory, which states its place too.
function header(signature, { name, sum, size, date }, place) {
  const listed = place !== null;
  const bytes = new Uint8Array((listed ? 46 : 30) + name.length);
  const out = fields(bytes);
  out.four(signature);
  for (const each of [...(listed ? [VERSION] : []), VERSION, UTF8, 0, time(date), day(date)]) out.two(each);
  for (const each of [sum, size, size]) out.four(each);
  for (const each of [name.length, 0]) out.two(each);
  if (listed) {
    for (const each of [0, 0, 0]) out.two(each); // comment, disk, kind
    for (const each of [0, place]) out.four(each);
  }
  bytes.set(name, bytes.length - name.length);
  return bytes;
}

function end(number, length, place) {
  const bytes = new Uint8Array(22);
  const out = fields(bytes);
  out.four(0x06054b50);
  for (const each of [0, 0, number, number]) out.two(each);
  for (const each of [length, place]) out.four(each);
  return bytes;
}

function fields(bytes) {
  const view = new DataView(bytes.buffer);
  let at = 0;
  return {
    two: (value) => view.setUint16((at += 2) - 2, value, true),
    four: (value) => view.setUint32((at += 4) - 4, value, true),
  };
}

const time = (date) => (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1);
const day = (date) => ((date.getFullYear() - 1980) << 9) | ((date.getMonth() + 1) << 5) | date.getDate();

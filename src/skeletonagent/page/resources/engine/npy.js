/**
 * Arrays of NumPy's format `.npy`.
 * @module
 */

const READERS = {
  f4: (view, place, little) => view.getFloat32(place, little),
  f8: (view, place, little) => view.getFloat64(place, little),
  i1: (view, place) => view.getInt8(place),
  i2: (view, place, little) => view.getInt16(place, little),
  i4: (view, place, little) => view.getInt32(place, little),
  u1: (view, place) => view.getUint8(place),
  u2: (view, place, little) => view.getUint16(place, little),
  u4: (view, place, little) => view.getUint32(place, little),
};
const MAGIC = "\x93NUMPY";

/**
 * Return the array that bytes hold, the last axis nearest in memory.
 * @param {Uint8Array} content
 * @returns {{shape: number[], values: Float64Array}}
 */
export function readNpy(content) {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  if (String.fromCharCode(...content.subarray(0, 6)) !== MAGIC) {
    throw new Error("the file is no NumPy array");
  }
  const wide = content[6] > 1;
  const start = wide ? 12 : 10;
  const size = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder("latin1").decode(content.subarray(start, start + size));
  const type = /'descr':\s*'([<>|=])(\w\d+)'/.exec(header);
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(header);
  const read = type && READERS[type[2]];
  if (!read || !shape) {
    throw new Error(
      "the array is of a type that this page does not read; save it as float32 or float64",
    );
  }
  if (/'fortran_order':\s*True/.test(header)) {
    throw new Error("the array is stored column by column; save np.ascontiguousarray(array)");
  }
  const axes = (shape[1].match(/\d+/g) ?? []).map(Number);
  const count = axes.reduce((a, b) => a * b, 1);
  const width = Number(type[2].slice(1));
  if (content.length - start - size < count * width) throw new Error("the array is cut off");
  const values = new Float64Array(count);
  for (let place = 0; place < count; place += 1) {
    values[place] = read(view, start + size + place * width, type[1] !== ">");
  }
  return { shape: axes, values };
}

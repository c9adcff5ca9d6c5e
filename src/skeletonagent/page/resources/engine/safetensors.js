/**
 * Arrays by name in the form of safetensors.
 * @module
 */

/**
 * Array of any shape.
 * @typedef {object} NamedArray
 * @property {number[]} shape
 * @property {Float32Array|Float64Array|Int32Array|Uint8Array|BigInt64Array} values
 */

const TYPES = {
  F32: Float32Array,
  F64: Float64Array,
  I32: Int32Array,
  I64: BigInt64Array,
  U8: Uint8Array,
};

/**
 * Return the arrays that bytes hold.
 * @param {Uint8Array} content
 * @returns {Map<string, NamedArray>}
 */
export function readSafetensors(content) {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const size = Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(content.subarray(8, 8 + size)));
  const arrays = new Map();
  for (const [name, { dtype, shape, data_offsets: offsets } = {}] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const Type = TYPES[dtype];
    if (!Type) throw new Error(`the classifier beside the network has numbers of type ${dtype}`);
    const [from, to] = offsets.map((offset) => 8 + size + offset);
    arrays.set(name, { shape, values: new Type(content.slice(from, to).buffer) });
  }
  return arrays;
}

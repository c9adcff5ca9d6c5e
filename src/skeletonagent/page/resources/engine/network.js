/**
 * Network of an exported recognizer in ONNX Runtime Web.
 * @module
 */

/** Network that returns the class probabilities and the features of clips. */
export class Network {
  #ort;
  #session;

  constructor(ort, session) {
    this.#ort = ort;
    this.#session = session;
  }

  /**
   * Return the network of a file, on the processor, in one thread.
   * @param {any} ort Module of ONNX Runtime Web.
   * @param {Uint8Array} graph The file.
   * @param {Uint8Array} wasm ONNX Runtime itself.
   * @returns {Promise<Network>}
   */
  static async open(ort, graph, wasm) {
    return new Network(ort, await openSession(ort, graph, wasm));
  }

  /**
   * Return the class probabilities of clips, and their features; those of a base come last.
   * @param {Float32Array} clips N, M, T, V, C.
   * @param {number[]} shape N, M, T, V and C.
   * @param {number[]} bodies Bodies that are present: body `m` of clip `n` as `n M + m`.
   * @returns {Promise<{probs: Float64Array[], features: Float32Array[]}>}
   */
  async run(clips, shape, bodies) {
    const { logits, features } = await this.#session.run({
      clips: new this.#ort.Tensor("float32", clips, shape),
      bodies: new this.#ort.Tensor("int64", BigInt64Array.from(bodies, BigInt), [bodies.length]),
    });
    return { probs: rows(logits).map(softmax), features: rows(features) };
  }
}

/**
 * Return a session of a file, on the processor, in one thread.
 * @param {any} ort Module of ONNX Runtime Web.
 * @param {Uint8Array} graph The file.
 * @param {Uint8Array} wasm ONNX Runtime itself.
 * @returns {Promise<any>}
 */
export async function openSession(ort, graph, wasm) {
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.proxy = false;
  ort.env.wasm.wasmBinary = wasm;
  ort.env.logLevel = "error";
  return ort.InferenceSession.create(graph, { executionProviders: ["wasm"] });
}

/** Return the rows of a matrix. */
function rows({ data, dims: [count, width] }) {
  return Array.from({ length: count }, (_, row) => data.subarray(row * width, (row + 1) * width));
}

/** Return the softmax of logits. */
function softmax(logits) {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const shares = Float64Array.from(logits, (logit) => Math.exp(logit - top));
  const total = shares.reduce((sum, share) => sum + share, 0);
  return shares.map((share) => share / total);
}

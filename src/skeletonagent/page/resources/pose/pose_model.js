/**
 * Pose model in ONNX Runtime Web.
 * @module
 */

import { openSession } from "../engine/network.js";

/** Model from a square picture to tensors. */
export class PoseModel {
  #ort;
  #session;

  constructor(ort, session) {
    this.#ort = ort;
    this.#session = session;
  }

  /**
   * Return the model of a file.
   * @param {any} ort Module of ONNX Runtime Web.
   * @param {Uint8Array} graph The file.
   * @param {Uint8Array} wasm ONNX Runtime itself.
   * @returns {Promise<PoseModel>}
   */
  static async open(ort, graph, wasm) {
    return new PoseModel(ort, await openSession(ort, graph, wasm));
  }

  /**
   * Return the outputs of the model in its order.
   * @param {Float32Array} picture N, H, W, C.
   * @param {number} side
   * @returns {Promise<Float32Array[]>}
   */
  async run(picture, side) {
    const { inputNames, outputNames } = this.#session;
    const given = new this.#ort.Tensor("float32", picture, [1, side, side, 3]);
    const found = await this.#session.run({ [inputNames[0]]: given });
    return outputNames.map((name) => found[name].data);
  }
}

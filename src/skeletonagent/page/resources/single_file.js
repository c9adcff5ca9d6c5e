// Entry of the page in one file: the recognizer is in the page itself.

import * as ort from "onnxruntime-web";
import { startPage } from "./app.js";
import { BrowserRecognizer } from "./browser_recognizer.js";
import { ExportedModel } from "./engine/exported_model.js";
import { PoseModel } from "./pose/pose_model.js";

/** Return the bytes that an element of the page holds, null if there is none. */
async function embedded(name) {
  const element = document.getElementById(`embedded-${name}`);
  if (element === null) return null;
  const letters = atob(element.textContent);
  const compressed = new Uint8Array(letters.length);
  for (let place = 0; place < letters.length; place += 1) compressed[place] = letters.charCodeAt(place);
  const stream = new Blob([compressed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function start() {
  const description = JSON.parse(new TextDecoder().decode(await embedded("description")));
  let runtime = null;
  const wasm = () => (runtime ??= embedded("wasm"));
  const load = async () => {
    const parts = { description, graph: await embedded("graph"), ridge: await embedded("ridge") };
    return ExportedModel.open(parts, ort, await wasm());
  };
  const poseModel = async (name) => PoseModel.open(ort, await embedded(`pose-${name}`), await wasm());
  const loadPose = async () => ({ detector: await poseModel("detector"), landmarks: await poseModel("landmarks") });
  await startPage(new BrowserRecognizer(description, load, loadPose));
}

start().catch((error) => {
  document.getElementById("problem").textContent = `This page cannot begin: ${error.message}`;
});

// The recognizer on the server that this page comes from.

import { RecognizerError } from "./recognizer.js";

const TOKEN = "skeletonagent-token";
const CLOSED = "The connection to the server ended. Is it still running?";
const JPEG_QUALITY = 0.8;
/** Bytes that may wait on the wire before frames of joints are dropped. */
const MOST_WAITING = 1 << 20;

function keptToken() {
  try { return sessionStorage.getItem(TOKEN) ?? ""; } catch { return ""; }
}

/** @implements {import("./recognizer.js").Recognizer} */
export class ServerRecognizer {
  acceptsVideo = false;
  acceptsPictures = false;
  #token = keptToken();
  #base;

  /** @param {string} base  Address of the server; by default that of the page. */
  constructor(base = document.baseURI) {
    this.#base = base;
  }

  /** Take the token that the server asks for, for as long as this tab is open. */
  setToken(token) {
    this.#token = token.trim();
    try { sessionStorage.setItem(TOKEN, this.#token); } catch { /* the tab keeps nothing: it is asked for again */ }
  }

  async describe() {
    const model = await this.#ask("model");
    this.acceptsVideo = this.acceptsPictures = Boolean(model.video);
    return model;
  }

  async predict(file, { signal, onProgress, ...options } = {}) {
    const query = new URLSearchParams({ keypoints: "true" });
    for (const [name, key] of [["threshold", "threshold"], ["topK", "top_k"], ["window", "window"], ["stride", "stride"], ["clips", "clips"], ["recording", "recording"]]) {
      if (options[name] !== undefined && options[name] !== null) query.set(key, String(options[name]));
    }
    const request = { method: "POST", signal };
    if (file instanceof Blob) {
      request.body = new FormData();
      request.body.append("file", file, file.name ?? "recording.json");
    } else {
      request.body = JSON.stringify(file);
      request.headers = { "Content-Type": "application/json" };
    }
    onProgress?.("Looking for actions");
    return this.#ask(`predict?${query}`, request);
  }

  async openStream({ fps, kind, imageSize, onEvent }) {
    const address = new URL("stream", this.#base);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = socket.onclose = () => reject(new RecognizerError("The server does not take a stream. Is it still running?"));
    });
    if (this.#token) socket.send(JSON.stringify({ token: this.#token }));
    socket.send(JSON.stringify({ fps, kind, ...(imageSize && { image_size: imageSize }) }));
    return serverStream(socket, onEvent);
  }

  async #ask(path, request = {}) {
    const headers = { ...request.headers, ...(this.#token && { Authorization: `Bearer ${this.#token}` }) };
    let response;
    try {
      response = await fetch(new URL(path, this.#base), { ...request, headers });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new RecognizerError("The server cannot be reached. Is it still running?");
    }
    const answer = await response.json().catch(() => null);
    if (response.ok && answer) return answer;
    throw new RecognizerError(sentence(answer, response.status), {
      status: response.status, retryAfter: Number(response.headers.get("Retry-After")) || 0,
    });
  }
}

function sentence(answer, status) {
  if (typeof answer?.detail === "string") return answer.detail;
  if (status === 401 || status === 403) return "The server asks for its token.";
  if (status === 413) return "The file is larger than the server takes.";
  return `The server answered with the status ${status} and no reason.`;
}

/** @returns {import("./recognizer.js").Stream} */
function serverStream(socket, onEvent) {
  let underWay = false, over = false;
  let finish = () => {};
  const finished = new Promise((resolve) => { finish = resolve; });
  const close = (event) => {
    if (over) return;
    over = true;
    if (event) onEvent(event);
    finish();
  };
  socket.onmessage = ({ data }) => {
    const event = JSON.parse(data);
    if (event.type === "frame") underWay = false;
    if (event.detail && !event.type) return close({ type: "error", text: event.detail });
    onEvent(event);
    if (event.type === "end" || event.type === "error") { close(); socket.close(); }
  };
  socket.onerror = () => close({ type: "error", text: CLOSED });
  socket.onclose = ({ reason }) => close({ type: "error", text: reason || CLOSED });
  return {
    push({ t, picture, bodies }) {
      if (over || underWay || socket.bufferedAmount > MOST_WAITING) return false;
      if (bodies) socket.send(JSON.stringify({ t, bodies }));
      else {
        underWay = true;
        picture.toBlob((blob) => (over || !blob ? (underWay = false) : socket.send(blob)), "image/jpeg", JPEG_QUALITY);
      }
      return true;
    },
    async end() {
      if (over) return;
      socket.send(JSON.stringify({ end: true }));
      await finished;
    },
  };
}

// The page: a recording comes in, its actions are shown, explained and corrected.

/** @param {import("./recognizer.js").Recognizer} recognizer */
export async function startPage(recognizer) {
  await recognizer.describe();
}
